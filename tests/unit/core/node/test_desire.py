"""Desired objects with unreadable documents, broken rules and foreign targets."""

import msgspec

from lunmapd.core.base.backings import Block, FileIO
from lunmapd.core.base.lunmap import Access, Initiator, Map, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.map.rules import check_served
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.desire import broken_documents, compute_desired, keep_observed
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING
from support.floating_map import T as POOL
from support.small_map import LUN, MAP, H, T


def test_suspects_name_the_object() -> None:
    """An object that breaks a rule is named by its path, with the first thing that is wrong."""
    broken = msgspec.structs.replace(MAP, initiators={})
    assert list(broken_documents(broken)) == ["luns/a"]
    assert "there is no initiator" in broken_documents(broken)["luns/a"]


def test_an_unreadable_target_keeps_its_luns() -> None:
    """All below a target whose document can't be read stays, with the storage objects under it."""
    observed = project_map(MAP, "n1")
    without = msgspec.structs.replace(MAP, targets={})
    assert plan(keep_observed(project_map(without, "n1"), observed, {f"targets/{T}"}, "n1"), observed) == ()


def test_an_unreadable_target_does_not_stay_open() -> None:
    """What was opened out of band is closed, since no document asks for it; authentication stays as it is."""
    desired = project_map(MAP, "n1")
    tpg, acl = desired["tpg", T, 1], desired["acl", T, 1, H]
    assert isinstance(tpg, lio_objects.Tpg)
    assert isinstance(acl, lio_objects.NodeAcl)
    settings = {"authentication": "1", "login_timeout": "20"}
    asking, opened = (
        msgspec.structs.replace(tpg, attributes=tuple({**dict(tpg.attributes), **settings, **more}.items()))
        for more in ({}, {"generate_node_acls": "1", "demo_mode_write_protect": "0"})
    )
    own = msgspec.structs.replace(acl, overrides_authentication=True)
    observed = {**desired, **lio_objects.by_key([opened, own])}
    kept = keep_observed({}, observed, {f"targets/{T}"}, "n1")
    assert kept == {**desired, **lio_objects.by_key([asking])}


U, G = "iqn.2026-01.org.example:u", "iqn.2026-01.org.example:g"


def test_the_readable_part_of_a_lun_is_followed() -> None:
    """An unmap at one target is done while the document of the Lun's other target can't be read."""
    targets = {T: Target({"n1": PortalGroup(1)}), U: Target({"n1": PortalGroup(2), "n2": PortalGroup(3)})}
    both = msgspec.structs.replace(LUN, maps=(Map(T, 0, H), Map(U, 0, H)))
    before = msgspec.structs.replace(MAP, luns={"a": both}, targets=targets)
    observed = Observed(project_map(before, "n1"))
    lunmap = msgspec.structs.replace(
        before, luns={"a": msgspec.structs.replace(both, maps=both.maps[1:])}, targets={T: targets[T]}
    )
    want = compute_desired(lunmap, {f"targets/{U}": "not JSON"}, "n1", observed, Vault(""))
    assert want.failures.keys() == {("document", f"targets/{U}")}
    assert {key for key in observed.objects if key not in want.objects} == {
        ("mapped_lun", T, 1, H, 0),
        ("lun", T, 1, "a"),
        ("acl", T, 1, H),
    }
    kept = {key: item for key, item in observed.objects.items() if key in want.objects}
    assert {key: want.objects[key] for key in kept} == kept


def test_a_lun_mapped_anew_takes_its_group_from_what_is_observed() -> None:
    """How many nodes report the Lun is not known while the document of one of its targets can't be read."""
    targets = {T: Target({"n1": PortalGroup(1)}), U: Target({"n1": PortalGroup(2), "n2": PortalGroup(3)})}
    nodes = {"n1": MAP.nodes["n1"], "n2": msgspec.structs.replace(MAP.nodes["n1"], tpg_tag=2)}
    only = msgspec.structs.replace(LUN, maps=(Map(U, 0, H),))
    before = msgspec.structs.replace(MAP, luns={"a": only}, targets=targets, nodes=nodes)
    observed = Observed(project_map(before, "n1"))
    both = msgspec.structs.replace(LUN, maps=(Map(T, 0, H), Map(U, 0, H)))
    lunmap = msgspec.structs.replace(before, luns={"a": both}, targets={T: targets[T]})
    want = compute_desired(lunmap, {f"targets/{U}": "not JSON"}, "n1", observed, Vault(""))
    everything = msgspec.structs.replace(before, luns={"a": both})
    assert want.objects == project_map(everything, "n1")


def test_a_target_that_breaks_a_rule_does_not_change_how_its_luns_are_exported() -> None:
    """A Lun of two nodes stays one, though the target through which the other node has it is not served."""
    targets = {T: Target({"n1": PortalGroup(1)}), U: Target({"n1": PortalGroup(2), "n2": PortalGroup(3)})}
    both = msgspec.structs.replace(LUN, maps=(Map(T, 0, H), Map(U, 0, H)))
    before = msgspec.structs.replace(MAP, luns={"a": both}, targets=targets)
    observed = Observed(project_map(before, "n1"))
    wrong = {**targets, U: Target({"n1": PortalGroup(2), "n2": PortalGroup(3), "n3": PortalGroup(4)})}
    want = compute_desired(msgspec.structs.replace(before, targets=wrong), {}, "n1", observed, Vault(""))
    assert want.failures.keys() == {("document", f"targets/{U}")}
    assert want.objects == observed.objects


def test_a_lun_that_is_not_made_yet_waits_for_all_its_targets() -> None:
    """Which nodes report it decides on its attributes."""
    both = msgspec.structs.replace(LUN, maps=(Map(T, 0, H), Map(U, 0, H)))
    lunmap = msgspec.structs.replace(MAP, luns={"a": both})
    want = compute_desired(lunmap, {f"targets/{U}": "not JSON"}, "n1", Observed(), Vault(""))
    assert ("storage_object", "a") not in want.objects
    assert want.failures["document", "luns/a"].reason == Reason.DOCUMENT_INVALID


def test_a_host_is_unmapped_while_another_one_of_the_lun_can_not_be_read() -> None:
    """The mapped LUN of the initiator whose document can't be read stays, and so do the Lun's attributes."""
    both = msgspec.structs.replace(LUN, maps=(Map(T, 0, H), Map(T, 0, G, access=Access.READ_ONLY)))
    before = msgspec.structs.replace(MAP, luns={"a": both}, initiators={H: Initiator(), G: Initiator()})
    observed = Observed(project_map(before, "n1"))
    lunmap = msgspec.structs.replace(MAP, luns={"a": msgspec.structs.replace(both, maps=both.maps[1:])})
    want = compute_desired(lunmap, {f"initiators/{G}": "not JSON"}, "n1", observed, Vault(""))
    assert {key for key in observed.objects if key not in want.objects} == {
        ("mapped_lun", T, 1, H, 0),
        ("acl", T, 1, H),
        ("acl", T, 2, H),
    }
    assert want.objects["storage_object", "a"] == observed.objects["storage_object", "a"]


def test_nothing_observed_is_nothing_ours() -> None:
    """The observation of an empty kernel has no objects, foreign targets, features and sessions."""
    assert Observed() == Observed({}, frozenset(), frozenset(), ())


def test_a_directory_with_another_spelling_is_left_alone_and_said() -> None:
    """It is a failing object of its own, by its path, and changes nothing that is desired."""
    path = f"iscsi/{T}/tpgt_1/lun/lun_01"
    want = compute_desired(MAP, {}, "n1", Observed(misspelled={path}), Vault(""))
    assert {key: failure.reason for key, failure in want.failures.items()} == {
        ("directory", path): Reason.FOREIGN_DIRECTORY
    }
    assert want.objects == compute_desired(MAP, {}, "n1", Observed(), Vault("")).objects


def test_a_foreign_target_is_left_alone_and_said() -> None:
    """A target of another tool gives nothing to do and one failure; a target of other nodes is no concern."""
    want = compute_desired(MAP, {}, "n1", Observed(foreign={T}), Vault(""))
    assert want.objects == {}
    assert want.failures[("target", T)].reason == "ForeignTarget"
    elsewhere = msgspec.structs.replace(MAP, targets={T: Target({"n2": PortalGroup(7)})})
    assert compute_desired(elsewhere, {}, "n1", Observed(foreign={T}), Vault("")).failures == {}


def test_an_object_that_breaks_a_rule_is_not_served_but_others_are() -> None:
    """A Lun whose document is wrong or unreadable is reported and left as it is; the others are projected."""
    wrong = msgspec.structs.replace(LUN, serial="x", backing=Block("/dev/b"), maps=(Map(T, 4, H),))
    lunmap = msgspec.structs.replace(MAP, luns={"a": LUN, "b": wrong})
    want = compute_desired(lunmap, {"luns/c": "not JSON"}, "n1", Observed(), Vault(""))
    assert want.objects == project_map(MAP, "n1")
    assert {name[1]: failure.reason for name, failure in want.failures.items()} == {
        "luns/b": "DocumentInvalid",
        "luns/c": "DocumentUnreadable",
    }


def test_a_path_on_a_node_that_is_missing_is_a_problem_of_its_lun() -> None:
    """A Lun with its own path for a node without a document is reported, and ends no pass."""
    lun = msgspec.structs.replace(LUN, backing=FileIO("/srv/a", {"n2": "/srv/b"}))
    lunmap = msgspec.structs.replace(MAP, luns={"a": lun}, nodes={"n1": MAP.nodes["n1"]})
    places = [problem.place for problem in check_served(lunmap)]
    assert places == [("luns", "a", "backing", "overrides", "n2"), ("targets", T, "nodes", "n2")]


def test_a_sentence_about_a_document_is_as_long_as_a_status_can_hold() -> None:
    """A message about a document of any length fits into a status with many of them."""
    wrong = msgspec.structs.replace(LUN, serial="x" * 100_000)
    lunmap = msgspec.structs.replace(MAP, luns={"a": wrong})
    want = compute_desired(lunmap, {"luns/c": "y" * 100_000}, "n1", Observed(), Vault(""))
    assert all(len(failure.message) < 1000 for failure in want.failures.values())
    assert want.failures["document", "luns/a"].message.startswith("luns[a].serial: 'xxx")


def test_a_device_that_is_too_small_is_told_of() -> None:
    """A Lun stays on a device that is smaller than the map declares, and is reported; otherwise it isn't."""
    lun = msgspec.structs.replace(LUN, backing=Block("/dev/a"), size=1 << 30)
    lunmap = msgspec.structs.replace(MAP, luns={"a": lun})
    was = project_map(lunmap, "n1")
    for size in ((1 << 30) - 512, 1 << 30, 1 << 31):
        want = compute_desired(
            lunmap,
            {},
            "n1",
            Observed(was, backings={"a": BackingFacts(size=size), "gone": BackingFacts(size=0)}),
            Vault(""),
        )
        assert plan(want.objects, was) == ()
        told = {name: failure.reason for name, failure in want.failures.items()}
        assert told == ({("storage_object", "a"): "SizeMismatch"} if size < 1 << 30 else {})
    for other in (msgspec.structs.replace(lun, size=None), msgspec.structs.replace(lun, maps=()), LUN):
        changed = msgspec.structs.replace(MAP, luns={"a": other})
        assert (
            compute_desired(
                changed, {}, "n1", Observed(was, backings={"a": BackingFacts(size=512)}), Vault("")
            ).failures
            == {}
        )


def test_a_foreign_target_of_a_floating_group_fails_on_its_nodes() -> None:
    """Another tool has made the target there; a node that may not own the group has nothing to do with it."""
    found = [
        compute_desired(FLOATING, {}, node, Observed(foreign={POOL}), Vault("")).failures
        for node in ("n1", "n3")
    ]
    assert [set(failures) for failures in found] == [{("target", POOL)}, set()]
