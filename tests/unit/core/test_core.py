"""Documents, changes, projection, plans and status: single behaviours."""

import msgspec
import pytest

from lunmapd.core import lio
from lunmapd.core.backings import Backing, Block, FileIO, Pscsi, RamDisk, User, source
from lunmapd.core.changes import Change, patch, split
from lunmapd.core.desire import desire, keep, suspects
from lunmapd.core.digest import fingerprint, replace, show, total
from lunmapd.core.documents import DocumentError, decode, encode
from lunmapd.core.errors import show_place
from lunmapd.core.identity import with_identity
from lunmapd.core.lunmap import (
    Access,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Scope,
    Shared,
    Target,
    source_on,
)
from lunmapd.core.migrate import to_schema_2
from lunmapd.core.observed import Observed
from lunmapd.core.outcome import WAITING, Failure, Ledger, Report, failures
from lunmapd.core.plan import Action, Disruption, Step, disruption, plan
from lunmapd.core.project import PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS, project
from lunmapd.core.secrets import Vault
from lunmapd.core.status import (
    APPLIED,
    REMOVAL_HELD,
    STORE,
    UNEDITED,
    At,
    Condition,
    Failing,
    NodeStatus,
    Standing,
    bad,
    condition,
    describe_failures,
    good,
    standing,
)

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
LUN = Lun(FileIO("/srv/a"), "1" * 32, 1 << 20, maps=(Map(T, 3, H),))
MAP = Lunmap(
    {"a": LUN},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(7)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)


def test_canonical_bytes_are_short_and_stable() -> None:
    """Defaults are left out, so a field that is added later does not change old documents."""
    assert encode(Initiator()) == b"{}"
    assert encode(LUN.maps[0]) == f'{{"target":"{T}","lun":3,"initiator":"{H}"}}'.encode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"x":1}', "luns[a].x: unknown field"),
        (b"{", "luns[a]: "),
        (b"\xff", "luns[a]: "),
        (b'{"backing":3}', "luns[a].backing"),
    ],
)
def test_decoding_says_where(data: bytes, sentence: str) -> None:
    """A document that can't be decoded names its path."""
    with pytest.raises(DocumentError) as caught:
        decode(data, Lun, ("luns", "a"))
    assert str(caught.value).startswith(sentence)


def test_places_print_as_paths() -> None:
    """A place prints with names and indexes in brackets where they are keys."""
    assert show_place(("luns", "a.b", "maps", 0, "lun")) == "luns[a.b].maps[0].lun"
    assert show_place(()) == "(top level)"


@pytest.mark.parametrize("path", ["luns", "luns/", "disks/a", ""])
def test_foreign_paths_are_refused(path: str) -> None:
    """A change outside the map's sections is refused."""
    with pytest.raises(DocumentError, match="not the path"):
        split(path)


def test_patching_removes_and_tolerates_what_is_gone() -> None:
    """A change without a document removes the object, also when it is gone already."""
    gone = Change("luns/a", msgspec.Raw(b"{}"))
    assert patch(patch(MAP, [gone]), [gone]).luns == {}


def test_the_digest_ignores_order_and_forgets_what_left() -> None:
    """Documents may come in any order, and adding then removing one gives the digest back."""
    documents = [("luns/a", b"1"), ("luns/b", b"2")]
    assert total(documents) == total(reversed(documents))
    assert replace(replace(7, "x", None, b"1"), "x", b"1", None) == 7
    assert show(fingerprint("a", b"b")) == f"{fingerprint('a', b'b'):064x}"


def test_a_lun_on_several_nodes_has_no_state_that_one_node_keeps() -> None:
    """Reservations, COMPARE AND WRITE and EXTENDED COPY are off where several nodes export the Lun, on elsewhere."""
    alone = msgspec.structs.replace(MAP, targets={T: Target({"n1": PortalGroup(1)})})
    for lunmap, value in ((MAP, "0"), (alone, "1")):
        item = project(lunmap, "n1")["storage_object", "a"]
        assert isinstance(item, lio.StorageObject)
        assert dict(item.attributes)["emulate_pr"] == value
        assert dict(item.attributes)["emulate_write_cache"] == "0"


@pytest.mark.parametrize("scope", list(Scope))
def test_what_is_chosen_for_a_shared_lun_is_offered(scope: Scope) -> None:
    """Reservations and COMPARE AND WRITE are as chosen; EXTENDED COPY is never offered by several nodes."""
    lun = msgspec.structs.replace(LUN, shared=Shared(reservations=scope, compare_and_write=Scope.OFF))
    item = project(msgspec.structs.replace(MAP, luns={"a": lun}), "n1")["storage_object", "a"]
    assert isinstance(item, lio.StorageObject)
    values = dict(item.attributes)
    offered = "1" if scope is Scope.PER_NODE else "0"
    assert (values["emulate_pr"], values["emulate_caw"], values["emulate_3pc"]) == (offered, "0", "0")


def test_settings_of_the_map_follow_those_that_are_governed() -> None:
    """Attributes come by name after lunmapd's own; what is at LIO's default is not said of a TPG."""
    lun = msgspec.structs.replace(
        LUN, vendor="A", product="B", attributes={"emulate_tpu": 1, "block_size": 512}
    )
    target = msgspec.structs.replace(
        MAP.targets[T],
        attributes={"t10_pi": 0, "login_timeout": 20},
        parameters={"MaxConnections": "1", "InitialR2T": "No"},
    )
    objects = project(msgspec.structs.replace(MAP, luns={"a": lun}, targets={T: target}), "n1")
    item, tpg = objects["storage_object", "a"], objects["tpg", T, 1]
    assert isinstance(item, lio.StorageObject)
    assert item.attributes[-2:] == (("block_size", "512"), ("emulate_tpu", "1"))
    assert (item.vendor, item.product) == ("A", "B")
    assert tpg == lio.Tpg(
        T, 1, (*TPG_ATTRIBUTES, ("login_timeout", "20")), (*TPG_PARAMETERS, ("InitialR2T", "No"))
    )


def test_a_node_may_serve_by_rdma_too() -> None:
    """The portals for iSER are portals of every target of the node."""
    node = msgspec.structs.replace(MAP.nodes["n1"], iser_portals=("10.1.0.1:3260",))
    objects = project(msgspec.structs.replace(MAP, nodes={"n1": node}), "n1")
    assert {item.address: item.iser for item in objects.values() if isinstance(item, lio.Portal)} == {
        "10.0.0.1:3260": False,
        "10.1.0.1:3260": True,
    }


def test_a_block_device_has_its_own_size() -> None:
    """The size of a block Lun is the device's, so the storage object does not set one."""
    lunmap = msgspec.structs.replace(MAP, luns={"a": Lun(Block("/dev/a"), "1" * 32, 1 << 20, maps=LUN.maps)})
    item = project(lunmap, "n1")["storage_object", "a"]
    assert isinstance(item, lio.StorageObject)
    assert (item.plugin, item.size) == ("iblock", 0)


def test_a_node_that_is_not_in_the_map_has_nothing() -> None:
    """An unknown node gets no objects, nor does a node that serves no target of the Lun."""
    assert project(MAP, "n9") == {}
    elsewhere = msgspec.structs.replace(MAP, targets={T: Target({"n2": PortalGroup(7)})})
    assert project(elsewhere, "n1") == {}


def test_the_port_id_is_that_of_the_map_where_the_kernel_has_one() -> None:
    """Nodes differ in their relative port id where the kernel lets it be set."""
    assert lio.Enabled(T, 2, 7) in project(MAP, "n2", {PORT_ID}).values()
    assert lio.Enabled(T, 2, 0) in project(MAP, "n2").values()


def test_read_only_maps_are_write_protected() -> None:
    """Access ro gives a write-protected mapped LUN."""
    lun = msgspec.structs.replace(LUN, maps=(Map(T, 3, H, access=Access.READ_ONLY),))
    objects = project(msgspec.structs.replace(MAP, luns={"a": lun}), "n1")
    assert lio.MappedLun(T, 1, H, 3, "a", write_protect=True) in objects.values()


def test_a_group_is_each_of_its_initiators() -> None:
    """A map to a group gives every member an ACL and a mapped LUN; a group that is missing gives none."""
    lun = msgspec.structs.replace(LUN, maps=(Map(T, 3, group="g"),))
    lunmap = msgspec.structs.replace(MAP, luns={"a": lun}, groups={"g": Group((H, H + "2"))})
    seen = {item.initiator for item in project(lunmap, "n1").values() if isinstance(item, lio.MappedLun)}
    assert seen == {H, H + "2"}
    without = project(msgspec.structs.replace(lunmap, groups={}), "n1")
    assert not any(isinstance(item, lio.NodeAcl | lio.MappedLun) for item in without.values())


def test_a_lun_may_name_the_nodes_that_report_it() -> None:
    """Nodes that a Lun does not name have nothing of it."""
    lunmap = msgspec.structs.replace(MAP, luns={"a": msgspec.structs.replace(LUN, nodes=("n2",))})
    assert ("storage_object", "a") not in project(lunmap, "n1")
    item = project(lunmap, "n2")["storage_object", "a"]
    assert isinstance(item, lio.StorageObject)
    assert dict(item.attributes)["emulate_pr"] == "1"


def test_what_stands_for_another_node_asks_for_no_rdma() -> None:
    """A node without RDMA lists the iSER portals of another one, and need not listen for iSER there."""
    rdma = msgspec.structs.replace(MAP.nodes["n2"], portals=(), iser_portals=("10.0.0.2:3260",))
    lunmap = msgspec.structs.replace(MAP, nodes={**MAP.nodes, "n2": rdma})
    assert lio.Portal(T, 2, "10.0.0.2:3260", iser=False) in project(lunmap, "n1").values()
    assert lio.Portal(T, 2, "10.0.0.2:3260", iser=True) in project(lunmap, "n2").values()


def test_a_drained_node_has_all_but_the_open_door() -> None:
    """The TPGs of a drained node are not enabled, and nothing else differs."""
    drained = msgspec.structs.replace(MAP.nodes["n1"], state=NodeState.DRAINED)
    lunmap = msgspec.structs.replace(MAP, nodes={**MAP.nodes, "n1": drained})
    assert project(MAP, "n1").keys() - project(lunmap, "n1").keys() == {("enabled", T, 1)}


def test_a_target_may_use_some_portals_of_a_node() -> None:
    """Only the portals that the target names for the node are made."""
    node = Node(1, ("10.0.0.1:3260", "10.1.0.1:3260"))
    target = Target({"n1": PortalGroup(1, ("10.1.0.1:3260",))})
    lunmap = msgspec.structs.replace(MAP, targets={T: target}, nodes={"n1": node})
    portals = [item.address for item in project(lunmap, "n1").values() if isinstance(item, lio.Portal)]
    assert portals == ["10.1.0.1:3260"]


@pytest.mark.parametrize(
    ("backing", "path"),
    [
        (Block("/dev/vg/a", {"n2": "/dev/b"}), "/dev/san/vg/a"),
        (Block("/dev/vg/a", {"n1": "/dev/b"}), "/dev/b"),
        (Block("/dev/special/a"), "/x/a"),
        (Block("/srv/a"), "/srv/a"),
        (User("rbd/dev/a"), "rbd/dev/a"),
        (User("rbd/a", {"n1": "rbd/b"}), "rbd/b"),
        (RamDisk(), ""),
    ],
)
def test_paths_differ_by_node(backing: Backing, path: str) -> None:
    """A Lun's override wins, then the longest prefix that the node rewrites; what is no path stays."""
    node = Node(1, devices={"/dev/": "/dev/san/", "/dev/special/": "/x/"})
    assert source_on(Lun(backing), "n1", node) == path


def test_each_backing_has_one_source() -> None:
    """Devices and files are known by their path, programs by their configuration, memory by nothing."""
    assert [source(backing) for backing in (Pscsi("/dev/sg1"), User("rbd/a"), RamDisk())] == [
        "/dev/sg1",
        "rbd/a",
        "",
    ]


def test_luns_of_schema_1_say_that_they_are_shared() -> None:
    """Migration writes down what schema 1 did by itself, for Luns of several nodes; all else stays as it is."""
    other = Lun(Block("/dev/b"), "2" * 32, maps=(Map(T + "2", 0, H),))
    alone = {T: MAP.targets[T], T + "2": Target({"n1": PortalGroup(3)})}
    lunmap = msgspec.structs.replace(MAP, luns={"a": LUN, "b": other}, targets=alone)
    documents = {f"{section}/{name}": encode(item) for section, name, item in lunmap.documents()}
    documents["luns/c"] = b"{"
    (changed,) = to_schema_2(documents).items()
    assert changed[0] == "luns/a"
    assert decode(changed[1], Lun) == msgspec.structs.replace(LUN, shared=Shared(Scope.OFF, Scope.OFF))
    assert to_schema_2(documents | dict([changed])) == {}


def test_suspects_name_the_object() -> None:
    """An object that breaks a rule is named by its path, with the first thing that is wrong."""
    broken = msgspec.structs.replace(MAP, initiators={})
    assert list(suspects(broken)) == ["luns/a"]
    assert "there is no initiator" in suspects(broken)["luns/a"]


def test_an_unreadable_target_keeps_its_luns() -> None:
    """All below a target whose document can't be read stays, with the storage objects under it."""
    observed = project(MAP, "n1")
    without = msgspec.structs.replace(MAP, targets={})
    assert plan(keep(project(without, "n1"), observed, {f"targets/{T}"}, "n1"), observed) == ()


def test_leftovers_are_removed_even_when_all_is_frozen() -> None:
    """Half-made things never stay, since rtslib fails on them everywhere."""
    left = lio.Leftover("hba", "core/iblock_10000")
    observed = lio.keyed([left])
    assert [step.item for step in plan(keep({}, observed, {"nodes/n1"}, "n1"), observed)] == [left]


def test_a_replaced_storage_object_takes_its_luns_along() -> None:
    """A changed path removes mapped LUN, LUN and storage object in this order, and makes them again in reverse."""
    observed = project(MAP, "n1")
    moved = msgspec.structs.replace(LUN, backing=FileIO("/srv/b"))
    steps = plan(project(msgspec.structs.replace(MAP, luns={"a": moved}), "n1"), observed)
    assert [(step.action, type(step.item)) for step in steps] == [
        (Action.DELETE, lio.MappedLun),
        (Action.DELETE, lio.TpgLun),
        (Action.DELETE, lio.StorageObject),
        (Action.CREATE, lio.StorageObject),
        (Action.CREATE, lio.TpgLun),
        (Action.CREATE, lio.MappedLun),
    ]
    assert steps[2].reason == "replaced: path /srv/a -> /srv/b"
    assert "stands on" in steps[0].reason


def test_sessions_end_before_their_lun_0_is_taken() -> None:
    """LIO answers for a LUN 0 that is not mapped. So one goes after its TPG is closed; other LUNs go first, as always."""
    maps = [lio.MappedLun(T, 1, H, number, f"l{number}", write_protect=False) for number in (0, 1)]
    other = lio.MappedLun(T, 2, H, 0, "l0", write_protect=False)
    observed = lio.keyed([*maps, other, lio.Enabled(T, 1, 1), lio.Enabled(T, 2, 2)])
    steps = plan(lio.keyed([lio.Enabled(T, 2, 2)]), observed)
    assert [step.item for step in steps] == [maps[1], other, lio.Enabled(T, 1, 1), maps[0]]


def test_settings_change_in_place() -> None:
    """A changed attribute is one update that names the difference."""
    observed = lio.keyed([lio.Target(T), lio.Tpg(T, 1, (("authentication", "1"),))])
    desired = lio.keyed([lio.Target(T), lio.Tpg(T, 1, (("authentication", "0"),))])
    (step,) = plan(desired, observed)
    assert step.action is Action.UPDATE
    assert step.reason == "attributes {authentication=1} -> {authentication=0}"
    assert str(step) == f"update tpg {T} 1: {step.reason}"


@pytest.mark.parametrize(
    ("action", "item", "expected"),
    [
        (Action.DELETE, lio.NodeAcl(T, 1, H), Disruption.SESSION_DROP),
        (Action.DELETE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), Disruption.PATH_LOSS),
        (Action.CREATE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), Disruption.UNIT_ATTENTION),
        (Action.UPDATE, lio.TpgLun(T, 1, "a", 1), Disruption.UNIT_ATTENTION),
        (Action.CREATE, lio.Target(T), Disruption.NONE),
    ],
)
def test_disruption(action: Action, item: lio.Object, expected: Disruption) -> None:
    """Each step says what an initiator may notice at worst."""
    assert disruption(Step(action, item, "why")) is expected


TPG = lio.Tpg(T, 1)
ACL = lio.NodeAcl(T, 1, H)


def test_what_stands_on_a_failure_waits() -> None:
    """After a failed creation its children wait, transitively, and others go on."""
    ledger = Ledger()
    ledger.record(Step(Action.CREATE, TPG, "x"))
    acl = Step(Action.CREATE, ACL, "x")
    assert ledger.waits(acl) == Failure(WAITING, f"waits for {lio.show_key(lio.key(TPG))}")
    ledger.record(acl)
    mapped = Step(Action.CREATE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), "x")
    assert ledger.waits(mapped) == Failure(WAITING, f"waits for {lio.show_key(lio.key(ACL))}")
    assert ledger.waits(Step(Action.CREATE, lio.Target(T + "2"), "x")) is None


def test_what_a_failed_removal_stands_on_waits() -> None:
    """After a failed removal nothing below it is removed, though it may still be used."""
    ledger = Ledger()
    ledger.record(Step(Action.DELETE, ACL, "x"))
    assert ledger.waits(Step(Action.DELETE, TPG, "x")) is not None
    assert ledger.waits(Step(Action.CREATE, lio.Portal(T, 1, "10.0.0.1:3260"), "x")) is None


@pytest.mark.parametrize(("number", "waits"), [(0, True), (1, False)])
def test_a_lun_0_stays_as_long_as_its_tpg_is_open(number: int, *, waits: bool) -> None:
    """Where closing failed, or is held, somebody may still be logged in."""
    ledger = Ledger()
    ledger.record(Step(Action.DELETE, lio.Enabled(T, 1, 1), "x"))
    mapped = lio.MappedLun(T, 1, H, number, "a", write_protect=False)
    assert (ledger.waits(Step(Action.DELETE, mapped, "x")) is not None) is waits
    assert ledger.waits(Step(Action.DELETE, lio.MappedLun(T, 2, H, 0, "a", write_protect=False), "x")) is None


FAILURE = Failure("InUse", "busy")


def test_failures_keep_the_first_of_each_object() -> None:
    """An object that fails twice in a plan is reported once, with the first failure."""
    steps = [Step(Action.DELETE, ACL, "x"), Step(Action.CREATE, ACL, "x"), Step(Action.CREATE, TPG, "x")]
    reports = [Report(steps[0], FAILURE), Report(steps[1], Failure(WAITING, "")), Report(steps[2])]
    assert failures(reports) == {lio.key(ACL): FAILURE}


def test_a_status_lists_causes_only() -> None:
    """Objects that merely wait are not listed among the failing ones."""
    found = {lio.key(ACL): FAILURE, lio.key(TPG): Failure(WAITING, "")}
    assert describe_failures(found, {lio.key(ACL): "a"}) == (Failing(f"acl {T} 1 {H}", "InUse", "busy", "a"),)


def test_a_condition_keeps_since_while_it_lasts() -> None:
    """`since` moves only when status or reason change."""
    first = condition((), good(APPLIED, "Seen", "r1"), "t1")
    same = condition(first, good(APPLIED, "Seen", "r2"), "t2")
    assert same == (Condition(APPLIED, True, "Seen", "r2", "t1"),)
    other = condition((*same, Condition(STORE, True, "Read", "", "t0")), bad(APPLIED, "Failing", ""), "t3")
    assert [entry.since for entry in other] == ["t3", "t0"]


AT = At("c", 4, "d")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (None, Standing.PENDING),
        (NodeStatus("b", "v", "t"), Standing.PENDING),
        (NodeStatus("b", "v", "t", AT, AT), Standing.CONVERGED),
        (NodeStatus("b", "v", "t", AT, At("c", 3, "d")), Standing.PENDING),
        (NodeStatus("b", "v", "t", AT, AT, failing_count=1), Standing.DEGRADED),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(APPLIED, False, "r", "", "t"),)), Standing.DEGRADED),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(UNEDITED, False, "r", "", "t"),)), Standing.DEGRADED),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(STORE, False, "r", "", "t"),)), Standing.HELD),
        (NodeStatus("b", "v", "t", None, None, (Condition(STORE, False, "r", "", "t"),)), Standing.HELD),
        (
            NodeStatus("b", "v", "t", AT, AT, (Condition(APPLIED, False, REMOVAL_HELD, "", "t"),)),
            Standing.HELD,
        ),
    ],
)
def test_a_nodes_standing_is_one_word(status: NodeStatus | None, word: Standing) -> None:
    """The worst condition gives the word for the table."""
    assert standing(status) is word


def test_kinds_have_their_own_keys_and_luns() -> None:
    """A key names kind and place, and only what serves a Lun has its name."""
    items: list[lio.Object] = [
        lio.Leftover("hba", "core/x"),
        lio.Portal(T, 1, "10.0.0.1:3260"),
        lio.TpgLun(T, 1, "a"),
    ]
    assert [lio.show_key(lio.key(item)) for item in items] == [
        "leftover core/x",
        f"portal {T} 1 10.0.0.1:3260",
        f"lun {T} 1 a",
    ]
    assert [lio.lun_of(item) for item in items] == [None, None, "a"]


def test_nothing_observed_is_nothing_ours() -> None:
    """A look at an empty kernel has no objects, no foreign targets, no features and no sessions."""
    assert Observed() == Observed({}, frozenset(), frozenset(), ())


def test_a_foreign_target_is_left_alone_and_said() -> None:
    """A target of another tool gives nothing to do and one failure; a target of other nodes is no concern."""
    want = desire(MAP, {}, "n1", Observed(foreign={T}), Vault(""))
    assert want.objects == {}
    assert want.failures[("target", T)].reason == "ForeignTarget"
    elsewhere = msgspec.structs.replace(MAP, targets={T: Target({"n2": PortalGroup(7)})})
    assert desire(elsewhere, {}, "n1", Observed(foreign={T}), Vault("")).failures == {}


def test_an_object_that_breaks_a_rule_is_not_served_but_others_are() -> None:
    """A Lun whose document is wrong or unreadable is reported and left as it is; the others are projected."""
    wrong = msgspec.structs.replace(LUN, serial="x", backing=Block("/dev/b"), maps=(Map(T, 4, H),))
    lunmap = msgspec.structs.replace(MAP, luns={"a": LUN, "b": wrong})
    want = desire(lunmap, {"luns/c": "not JSON"}, "n1", Observed(), Vault(""))
    assert want.objects == project(MAP, "n1")
    assert {name[1]: failure.reason for name, failure in want.failures.items()} == {
        "luns/b": "DocumentInvalid",
        "luns/c": "DocumentUnreadable",
    }


def test_identity_is_filled_in_and_kept() -> None:
    """A missing serial or port id is the one that there was, else a new one; what a file gives is left alone."""
    bare = msgspec.structs.replace(LUN, serial="")
    wanted = Lunmap(
        {"a": bare, "b": bare, "c": LUN},
        {
            T: Target({"n1": PortalGroup(), "n2": PortalGroup(), "n3": PortalGroup()}),
            T + "2": Target({"n1": PortalGroup(2)}),
        },
    )
    filled = with_identity(wanted, MAP, lambda: "new")
    assert [lun.serial for lun in filled.luns.values()] == [LUN.serial, "new", LUN.serial]
    assert {name: group.port_id for name, group in filled.targets[T].nodes.items()} == {
        "n1": 1,
        "n2": 7,
        "n3": 3,
    }
    assert filled.targets[T + "2"].nodes["n1"].port_id == 2
