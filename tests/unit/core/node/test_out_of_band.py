"""Out-of-band edits: the accepted ones, and the values that stay as in the revisions."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block, FileIO
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Group, Lun, Lunmap, Map, Node
from lunmapd.core.base.reasons import Reason
from lunmapd.core.history.changes import Change, as_raw, document_at, patch_map
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.needed_documents import restore_needed
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import EffectiveMap, accept_edits, recorded_luns
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING
from support.small_map import LUN, MAP, H, T

RECORDED = {"luns/a": encode(LUN)}


def edited(lun: Lun) -> Lunmap:
    """Return the map with another form of its Lun."""
    return replace(MAP, luns={"a": lun})


@pytest.mark.parametrize(
    ("lun", "reason", "sentence"),
    [
        (replace(LUN, serial="2" * 32), Reason.SERIAL_IMMUTABLE, "make a new Lun under another name"),
        (replace(LUN, serial="x", size=512), Reason.SERIAL_IMMUTABLE, "lunmapctl repair"),
        (replace(LUN, size=1 << 19), Reason.EDIT_REFUSED, "can't shrink"),
        (
            replace(LUN, backing=Block("/srv/a"), size=None),
            Reason.EDIT_REFUSED,
            "can't change while the Lun is mapped",
        ),
        (replace(LUN, product="other"), Reason.EDIT_REFUSED, "can't change while the Lun is mapped"),
        (replace(LUN, backing=FileIO("/srv/b")), Reason.EDIT_REFUSED, "from /srv/a to /srv/b"),
        (replace(LUN, backing=FileIO("/srv/a", {"n2": "/srv/b"})), Reason.EDIT_REFUSED, "--rebacking a"),
    ],
)
def test_what_a_commit_refuses_is_not_followed(lun: Lun, reason: str, sentence: str) -> None:
    """A Lun with an edited fixed value is desired as the revisions have it, and reported with the remedy."""
    judged = accept_edits(edited(lun), RECORDED)
    assert judged.lunmap == MAP
    (failure,) = judged.failures.values()
    assert failure.reason == reason
    assert sentence in failure.message
    assert "lunmapctl repair" in failure.message


def test_a_node_does_nothing_for_such_an_edit() -> None:
    """A Lun in use keeps its serial and its size."""
    judged = accept_edits(edited(replace(LUN, serial="2" * 32, size=512)), RECORDED)
    was = project_map(MAP, "n1")
    assert plan(compute_desired(judged.lunmap, {}, "n1", Observed(was), Vault("")).objects, was) == ()


@pytest.mark.parametrize(
    "lun", [replace(LUN, size=1 << 21), replace(LUN, maps=()), replace(LUN, maps=(), product="other")]
)
def test_what_a_commit_takes_is_followed(lun: Lun) -> None:
    """An edit that could have been a commit is as good as one."""
    assert accept_edits(edited(lun), RECORDED) == EffectiveMap(edited(lun))


@pytest.mark.parametrize(
    "recorded", [{}, {"luns/a": None}, {"luns/a": b"x"}, {"luns/b": encode(LUN)}, {"targets/a": b"{}"}]
)
def test_a_lun_that_the_revisions_made_anew_is_another_one(recorded: dict[str, bytes | None]) -> None:
    """Without an edit between the revisions and the map, any serial and size is accepted."""
    other = edited(replace(LUN, serial="2" * 32, size=512))
    assert accept_edits(other, recorded) == EffectiveMap(other)


REWRITING = replace(MAP.nodes["n1"], devices={"/srv": "/x"})


def _with_nodes(lunmap: Lunmap, **nodes: Node) -> Lunmap:
    return replace(lunmap, nodes={**lunmap.nodes, **nodes})


def test_a_node_does_not_rewrite_the_path_of_a_mapped_lun() -> None:
    """A node's document that would give a mapped Lun another path stays as recorded, and is reported."""
    judged = accept_edits(_with_nodes(MAP, n1=REWRITING), {"nodes/n1": encode(MAP.nodes["n1"])})
    assert judged.lunmap == MAP
    (failure,) = judged.failures.values()
    assert list(judged.failures) == [("document", "nodes/n1")]
    assert failure.reason == Reason.EDIT_REFUSED
    assert "nodes[n1].devices: out-of-band edit" in failure.message
    assert "from /srv/a to /x/a" in failure.message


@pytest.mark.parametrize(
    "node", [replace(REWRITING, devices={"/dev": "/x"}), replace(MAP.nodes["n1"], labels={"rack": "r1"})]
)
def test_a_node_that_changes_no_path_is_followed(node: Node) -> None:
    """Any other edit of a node is followed."""
    other = _with_nodes(MAP, n1=node)
    assert accept_edits(other, {"nodes/n1": encode(MAP.nodes["n1"])}) == EffectiveMap(other)


def test_edits_that_depend_on_each_other_are_refused_together() -> None:
    """With a Lun's serial, the rewriting is refused that only the Lun's edited path made harmless."""
    both = replace(LUN, serial="2" * 32, backing=FileIO("/y/a", {"n2": "/srv/a"}))
    node = replace(MAP.nodes["n1"], devices={"/y": "/srv", "/srv": "/z"})
    recorded = {**RECORDED, "nodes/n1": encode(MAP.nodes["n1"])}
    judged = accept_edits(_with_nodes(edited(both), n1=node), recorded)
    assert judged.lunmap == MAP
    assert judged.failures.keys() == {("document", "luns/a"), ("document", "nodes/n1")}


def test_a_target_edited_as_well_hides_no_other_path() -> None:
    """A Lun's nodes are those of the recorded target: an edit of both is no way to another path."""
    alone = replace(MAP.targets[T], nodes={"n1": MAP.targets[T].nodes["n1"]})
    lunmap = replace(edited(replace(LUN, backing=FileIO("/srv/b"))), targets={T: alone})
    judged = accept_edits(lunmap, {**RECORDED, f"targets/{T}": encode(MAP.targets[T])})
    assert judged.lunmap == replace(MAP, targets={T: alone})


def test_the_recorded_luns_are_those_that_can_be_read() -> None:
    """Other objects, Luns that no revision has, and Luns whose document can't be decoded are left out."""
    edits = {**RECORDED, "luns/b": None, "luns/c": b"x", "nodes/n1": encode(MAP.nodes["n1"])}
    assert dict(recorded_luns(edits)) == {"a": LUN}


WITH_GROUP = replace(MAP, luns={"a": replace(LUN, maps=(Map(T, 3, group="g"),))}, groups={"g": Group((H,))})


def _without(lunmap: Lunmap, *paths: str) -> tuple[Lunmap, dict[str, bytes | None]]:
    """Return the map without these documents, and what the revisions have for them."""
    recorded = {path: document_at(lunmap, path) for path in paths}
    return patch_map(lunmap, [Change(path, as_raw(data)) for path, data in recorded.items()]), recorded


@pytest.mark.parametrize(
    ("paths", "by"),
    [
        ([f"targets/{T}"], "luns/a"),
        (["groups/g"], "luns/a"),
        ([f"initiators/{H}"], "groups/g"),
        (["nodes/n2"], f"targets/{T}"),
        (["groups/g", f"initiators/{H}"], "groups/g"),
        ([f"targets/{T}", "nodes/n1", "nodes/n2"], f"targets/{T}"),
    ],
)
def test_a_removed_document_that_others_refer_to_stays_in_force(paths: list[str], by: str) -> None:
    """A commit could not have removed it: nodes go on as if it were there, and the edit is named."""
    left, recorded = _without(WITH_GROUP, *paths)
    judged = accept_edits(left, recorded)
    assert judged.lunmap == WITH_GROUP
    assert judged.failures.keys() == {("document", path) for path in paths}
    assert {failure.reason for failure in judged.failures.values()} == {Reason.EDIT_REFUSED}
    assert f"since {by} refers to it" in judged.failures["document", paths[-1]].message


def test_what_nobody_refers_to_may_be_removed() -> None:
    """A commit could have done it, so the removal of a Lun and then of all that it needed is followed."""
    paths = ("luns/a", "groups/g", f"initiators/{H}", f"targets/{T}", "nodes/n1", "nodes/n2")
    left, recorded = _without(WITH_GROUP, *paths)
    assert accept_edits(left, recorded) == EffectiveMap(Lunmap())


def test_a_needed_document_that_cannot_be_decoded_is_not_restored() -> None:
    """One that is there and unreadable is told as unreadable, and one whose record is garbage is lost."""
    left, recorded = _without(WITH_GROUP, f"targets/{T}")
    assert accept_edits(left, recorded, {f"targets/{T}"}) == EffectiveMap(left)
    assert accept_edits(left, {f"targets/{T}": b"{"}) == EffectiveMap(left)


def test_a_node_of_a_floating_group_is_needed() -> None:
    """Its document was removed by hand: the group would lose a node that a commit has to remove."""
    without = replace(FLOATING, nodes={name: node for name, node in FLOATING.nodes.items() if name != "n2"})
    recorded = {"nodes/n2": encode(FLOATING.nodes["n2"]), "nodes/n3": encode(FLOATING.nodes["n3"])}
    restored = restore_needed(replace(without, nodes={"n1": without.nodes["n1"]}), recorded)
    assert (set(restored[0].nodes), set(restored[1])) == ({"n1", "n2"}, {"nodes/n2"})
