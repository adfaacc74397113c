"""Observations of a tree of plain files, also in short-lived states of LIO."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua, DefaultGroup
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.governed import PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.lio.base.index import take_lun_number
from lunmapd.lio.base.observation import Observation, ObservationHints, StuckDirectory
from lunmapd.lio.observe.observe import observe_lio
from lunmapd.lio.observe.observe_some import observe_some
from support.configfs_tree import IQN, NOBODY, TPGT, Tree, leftovers, served
from support.observing import observe

# As core_alua_show_tg_pt_gp_info in drivers/target/target_core_alua.c prints it.
_GROUP = """TG Port Alias: lunmapd
TG Port Group ID: {}
TG Port Primary Access State: Active/Optimized
TG Port Primary Access Status: None
TG Port Secondary Access State: {}
TG Port Secondary Access Status: None"""


def test_an_unloaded_lio_is_empty(tmp_path: Path) -> None:
    """Where there are no directories there is nothing, and no error."""
    assert not observe(tmp_path, NOBODY).objects


def test_a_served_lun_is_seen(tree: Tree) -> None:
    """All kinds of objects are found with what belongs to them."""
    served(tree)
    found = observe(tree.root, NOBODY).objects
    assert set(found.values()) >= {
        lio_objects.TpgLun(IQN, 1, "a"),
        lio_objects.NodeAcl(IQN, 1, "host"),
        lio_objects.MappedLun(IQN, 1, "host", 5, "a", write_protect=True),
        lio_objects.Tpg(IQN, 1, TPG_ATTRIBUTES, TPG_PARAMETERS),
    }
    assert len(found) == 6


@pytest.mark.parametrize(
    ("text", "group", "offline"),
    [("", 0, False), (_GROUP.format(0, "None"), 0, False), (_GROUP.format(7, "Offline"), 7, True)],
)
def test_a_lun_shows_its_group_and_whether_it_answers(
    tree: Tree, text: str, group: int, *, offline: bool
) -> None:
    """Both are in one file, which is empty for a LUN of a device that is passed through."""
    served(tree)
    tree.write(f"{TPGT}/lun/lun_0/alua_tg_pt_gp", text)
    assert lio_objects.TpgLun(IQN, 1, "a", group, offline) in observe(tree.root, NOBODY).objects.values()


def test_a_part_is_seen_without_the_sessions(tree: Tree) -> None:
    """A full observation records the session of an ACL; a partial one records the same objects alone."""
    served(tree)
    tree.write(f"{TPGT}/acls/host/info", "InitiatorName: host\nSession State: TARG_SESS_STATE_LOGGED_IN")
    whole = observe_lio(tree.root, NOBODY)
    assert [session.initiator for session in whole.observed.sessions] == ["host"]
    items = (lio_objects.NodeAcl(IQN, 1, "host"), lio_objects.MappedLun(IQN, 1, "host", 5, "a", True))
    part = observe_some(tree.root, whole.index, items)
    assert part.objects == lio_objects.by_key(items)
    assert part.sessions == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ("", "")),
        ({"userid": "", "password": ""}, ("", "")),
        ({"userid": "bob", "password": "x y"}, ("bob", "x y")),
        ({"userid": "NULL", "password": "NULL"}, ("", "")),
        ({"userid": "bob", "password": "NULL"}, ("", "")),
        (
            {"userid": "bob", "password": "x", "userid_mutual": "san", "authenticate_target": "0"},
            ("bob", "x"),
        ),
    ],
)
def test_half_a_pair_of_credentials_is_none(
    tree: Tree, files: dict[str, str], expected: tuple[str, str]
) -> None:
    """Unset, cleared and half-written credentials count as LIO takes them."""
    tree.tpg(f"{IQN}/tpgt_1")
    (tree.root / f"{TPGT}/acls/host/auth").mkdir(parents=True)
    for name, text in files.items():
        tree.write(f"{TPGT}/acls/host/auth/{name}", text)
    acl = observe(tree.root, NOBODY).objects["acl", IQN, 1, "host"]
    assert acl == lio_objects.NodeAcl(
        IQN, 1, "host", lio_objects.ChapCredentials(expected[0], Secret(expected[1]))
    )


def test_discovery_is_looked_at_only_when_claimed(tree: Tree) -> None:
    """Discovery credentials are ours, and enforced, only when claimed."""
    tree.write("iscsi/discovery_auth/enforce_discovery_auth", "1")
    for name, text in (
        ("userid", "a"),
        ("password", "b"),
        ("authenticate_target", "1"),
        ("userid_mutual", "c"),
        ("password_mutual", "d"),
    ):
        tree.write(f"iscsi/discovery_auth/{name}", text)
    assert observe(tree.root, NOBODY).objects == {}
    (found,) = observe(tree.root, {lio_objects.DISCOVERY_CLAIM}).objects.values()
    assert found == lio_objects.DiscoveryAuth(lio_objects.ChapCredentials("a", Secret("b"), "c", Secret("d")))
    tree.write("iscsi/discovery_auth/enforce_discovery_auth", "0")
    assert observe(tree.root, {lio_objects.DISCOVERY_CLAIM}).objects == {}


def test_storage_objects_below_our_indexes_are_not_ours(tree: Tree) -> None:
    """Neither those of other tools nor those of plugins that lunmapd does not use are reported."""
    tree.storage_object("theirs", "fileio_9999")
    tree.storage_object("odd", "odd_plugin_10000")
    result = observe_lio(tree.root, NOBODY)
    assert not result.observed.objects
    assert result.index.hba_indexes.lowest() == 10001


def test_halves_are_leftovers(tree: Tree) -> None:
    """The leftover of a crash in each place is reported for removal, with the kind of the whole."""
    served(tree)
    tree.storage_object("b", "fileio_10001", serial="")
    for empty in ("core/fileio_10002", f"{TPGT}/lun/lun_7", f"{TPGT}/acls/host/lun_8"):
        (tree.root / empty).mkdir()
    assert leftovers(tree) == {
        lio_objects.Leftover("storage_object", "core/fileio_10001/b"),
        lio_objects.Leftover("hba", "core/fileio_10002"),
        lio_objects.Leftover("lun", f"{TPGT}/lun/lun_7"),
        lio_objects.Leftover("mapped_lun", f"{TPGT}/acls/host/lun_8"),
    }


def test_what_was_expected_in_a_directory_is_looked_for_first(tree: Tree) -> None:
    """An object is observed as without hints; so are objects instead of it, beside it, or elsewhere."""
    served(tree)
    hints = ObservationHints(hbas={"a": "fileio_10000", "gone": "fileio_10001", "half": "fileio_10002"})

    def alike() -> bool:
        return observe_lio(tree.root, NOBODY, hints).observed == observe_lio(tree.root, NOBODY).observed

    assert alike()
    tree.storage_object("instead", "fileio_10001")
    tree.storage_object("half", "fileio_10002", serial="")
    assert alike()
    tree.storage_object("beside", "fileio_10000")
    tree.storage_object("a", "fileio_10001")
    assert alike()
    assert leftovers(tree) == {
        lio_objects.Leftover("storage_object", "core/fileio_10001/a"),
        lio_objects.Leftover("storage_object", "core/fileio_10002/half"),
    }


def test_a_first_observation_expects_what_luns_export(tree: Tree) -> None:
    """It finds the same as one that expects nothing: one object in an HBA, several, a half one, and none."""
    served(tree)
    nothing = ObservationHints(hbas={"none": "fileio_1"})

    def alike() -> bool:
        return observe_lio(tree.root, NOBODY).observed == observe_lio(tree.root, NOBODY, nothing).observed

    assert alike()
    tree.storage_object("beside", "fileio_10000")
    tree.storage_object("half", "fileio_10001", serial="")
    tree.link(f"{TPGT}/lun/lun_1", "core/fileio_10001/half")
    tree.link(f"{TPGT}/lun/lun_2", "core/fileio_10002/gone")
    (tree.root / f"{TPGT}/lun/lun_3").mkdir()
    assert alike()


def test_second_copies_are_leftovers(tree: Tree) -> None:
    """Of two storage objects with one name and two LUNs of one storage object, the first counts."""
    served(tree)
    tree.storage_object("a", "fileio_10001")
    tree.link(f"{TPGT}/lun/lun_1", "core/fileio_10000/a")
    tree.link(f"{TPGT}/acls/host/lun_6", f"{TPGT}/lun/lun_1")
    assert leftovers(tree) == {
        lio_objects.Leftover("storage_object", "core/fileio_10001/a"),
        lio_objects.Leftover("lun", f"{TPGT}/lun/lun_1"),
        lio_objects.Leftover("mapped_lun", f"{TPGT}/acls/host/lun_6"),
    }


def test_a_lun_of_a_foreign_storage_object_is_a_leftover(tree: Tree) -> None:
    """Everything inside our TPG is ours, so what does not fit there goes."""
    served(tree)
    tree.storage_object("theirs", "fileio_0")
    tree.link(f"{TPGT}/lun/lun_1", "core/fileio_0/theirs")
    assert leftovers(tree) == {lio_objects.Leftover("lun", f"{TPGT}/lun/lun_1")}


def test_links_may_have_any_name(tree: Tree) -> None:
    """A LUN that another tool linked is found by its destination."""
    tree.storage_object("a")
    tree.tpg(f"{IQN}/tpgt_1")
    tree.link(f"{TPGT}/lun/lun_0", "core/fileio_10000/a", "0123456789")
    assert lio_objects.TpgLun(IQN, 1, "a") in observe(tree.root, NOBODY).objects.values()


def test_an_unmarked_target_is_foreign(tree: Tree) -> None:
    """Its name is reported, and none of its parts is an object."""
    tree.tpg(f"{IQN}/tpgt_1", "LIO Target", enabled=True)
    observed = observe(tree.root, frozenset({IQN}))
    assert observed.foreign == {IQN}
    assert not observed.objects


def test_a_claimed_inert_target_is_ours(tree: Tree) -> None:
    """A crash came between mkdir and mark; the TPG is given as it is, so that the plan sets its mark."""
    tree.tpg(f"{IQN}/tpgt_1", "LIO Target")
    found = observe(tree.root, frozenset({IQN})).objects
    assert found["tpg", IQN, 1] == lio_objects.Tpg(IQN, 1, TPG_ATTRIBUTES, (("TargetAlias", "LIO Target"),))
    assert observe(tree.root, NOBODY).foreign == {IQN}


def test_a_claimed_target_with_a_working_tpg_is_foreign(tree: Tree) -> None:
    """A claim is no licence: what another tool has filled in the meantime is its own."""
    tree.tpg(f"{IQN}/tpgt_1", "LIO Target")
    tree.tpg(f"{IQN}/tpgt_2", "LIO Target")
    (tree.root / TPGT / "acls/host").mkdir()
    assert observe(tree.root, frozenset({IQN})).foreign == {IQN}


def test_a_foreign_tpg_in_our_target_is_left_alone(tree: Tree) -> None:
    """Of a target with a TPG of ours and another, only ours is reported."""
    tree.tpg(f"{IQN}/tpgt_1")
    tree.tpg(f"{IQN}/tpgt_2", "LIO Target", enabled=True)
    assert set(observe(tree.root, frozenset({IQN})).objects) == {("target", IQN), ("tpg", IQN, 1)}


def test_missing_attributes_are_left_out(tree: Tree) -> None:
    """An attribute that the kernel lacks is a difference, and the plan's step names it."""
    tree.tpg(f"{IQN}/tpgt_1")
    (tree.root / TPGT / "attrib/authentication").unlink()
    tpg = observe(tree.root, NOBODY).objects["tpg", IQN, 1]
    assert isinstance(tpg, lio_objects.Tpg)
    assert tpg.attributes == TPG_ATTRIBUTES[1:]


@pytest.mark.parametrize(("rtpi", "port_id", "features"), [("0x1f", 31, {PORT_ID}), (None, 0, set())])
def test_the_port_id_is_known_where_the_kernel_has_one(
    tree: Tree, rtpi: str | None, port_id: int, features: set[str]
) -> None:
    """The file is hexadecimal; without it the id is 0 and the feature is missing."""
    tree.tpg(f"{IQN}/tpgt_1", enabled=True)
    if rtpi:
        tree.write(f"{TPGT}/rtpi", rtpi)
    observed = observe(tree.root, NOBODY)
    assert observed.objects["enabled", IQN, 1] == lio_objects.Enabled(IQN, 1, port_id)
    assert observed.features == features


def test_a_look_hands_on_what_it_finds() -> None:
    """A consumer gets all but the last few objects and backings before the end, and none is kept."""
    handed: list[lio_objects.Object] = []
    backings: dict[str, BackingFacts] = {}

    def emit(objects: tuple[lio_objects.Object, ...], facts: Mapping[str, BackingFacts]) -> None:
        handed.extend(objects)
        backings.update(facts)

    observation = Observation(Path("/nowhere"), emit=emit)
    observation.backings["g"] = BackingFacts(file="1:2")
    grouped = lio_objects.StorageObject("g", "fileio", "/g", 1, "1", alua=Alua(1, AluaState.OPTIMIZED))
    found: list[lio_objects.Object] = [grouped, *(lio_objects.Target(str(number)) for number in range(1000))]
    for item in found:
        observation.add(item)
    assert len(handed) > 700
    assert [*handed, *observation.objects.values()] == found
    assert (backings, observation.backings) == ({"g": BackingFacts(file="1:2")}, {})


def test_what_the_note_names_is_read(tree: Tree) -> None:
    """Settings of the map are those that the alias names; unknown names are ignored."""
    tree.storage_object("a")
    path = "core/fileio_10000/a"
    tree.write(f"{path}/alias", "lunmapd product emulate_tpu block_size magic")
    for name, text in (("attrib/emulate_tpu", "1"), ("attrib/block_size", "512"), ("attrib/is_nonrot", "1")):
        tree.write(f"{path}/{name}", text)
    tree.write(f"{path}/wwn/vendor_id", "LIO-ORG")
    tree.write(f"{path}/wwn/product_id", "A disk")
    item = observe(tree.root, NOBODY).objects["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert item.attributes[-2:] == (("block_size", "512"), ("emulate_tpu", "1"))
    assert (item.vendor, item.product) == ("", "A disk")
    tree.write(f"{path}/alias", "something of another tool: block_size")
    item = observe(tree.root, NOBODY).objects["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert len(item.attributes) == len(PLUGINS["fileio"].governed)
    assert item.product == ""


@pytest.mark.parametrize(
    ("file", "text", "group"),
    [
        ("alua_access_state", "0", DEFAULT_GROUP),
        ("alua_access_state", "2", DefaultGroup("standby")),
        ("alua_access_state", "15", DefaultGroup("15")),
        ("preferred", "1", DefaultGroup(preferred=True)),
        (
            "alua_access_type",
            "Implicit and Explicit",
            DefaultGroup(access_type="Implicit and Explicit"),
        ),
    ],
)
def test_the_kernels_own_group_is_read(tree: Tree, file: str, text: str, group: DefaultGroup) -> None:
    """Each file of it counts, also for a storage object without alias; unaltered groups are one instance."""
    tree.storage_object("a")
    tree.write(f"core/fileio_10000/a/alua/default_tg_pt_gp/{file}", text)
    item = observe(tree.root, NOBODY).objects["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert item.default_group == group
    assert (item.default_group is DEFAULT_GROUP) == (group == DEFAULT_GROUP)


def test_a_passed_through_device_has_its_serial_in_the_note(tree: Tree) -> None:
    """The device keeps its own serial, so the Lun's is in the alias; without it the object is incomplete.

    Its ALUA state is not read.
    """
    path = "core/pscsi_10000/a"
    tree.write(f"{path}/wwn/vpd_unit_serial", "T10 VPD Unit Serial Number: 2000")
    tree.write(f"{path}/info", "Status: ACTIVATED")
    tree.write(f"{path}/udev_path", "/dev/sdb")
    tree.write(f"{path}/attrib/emulate_pr", "0")
    tree.write(f"{path}/alua/default_tg_pt_gp/alua_access_state", "2")
    assert leftovers(tree) == {lio_objects.Leftover("storage_object", path)}
    tree.write(f"{path}/alias", "lunmapd serial=abc")
    (item,) = observe(tree.root, NOBODY).objects.values()
    assert item == lio_objects.StorageObject("a", "pscsi", "/dev/sdb", 0, "abc", (("emulate_pr", "0"),))
    (tree.root / path / "udev_path").unlink()
    assert leftovers(tree) == {lio_objects.Leftover("storage_object", path)}


def test_settings_at_their_default_are_left_out(tree: Tree) -> None:
    """A TPG has the settings that lunmapd governs, and others that are not the kernel's default."""
    tree.tpg(f"{IQN}/tpgt_1")
    for name, text in (
        ("attrib/login_timeout", "20"),
        ("attrib/t10_pi", "0"),
        ("param/ImmediateData", "No"),
        ("param/InitialR2T", "Yes"),
    ):
        tree.write(f"{TPGT}/{name}", text)
    item = observe(tree.root, NOBODY).objects["tpg", IQN, 1]
    assert item == lio_objects.Tpg(
        IQN, 1, (*TPG_ATTRIBUTES, ("login_timeout", "20")), (*TPG_PARAMETERS, ("ImmediateData", "No"))
    )


def write_before(path: Path, text: str, seconds: float = 60) -> None:
    """Write a file as if that had been some time ago."""
    path.write_text(text)
    then = time.time() - seconds
    os.utime(path, (then, then))


def _reserved(tree: Tree, directory: Path, memory: str) -> None:
    """Make a TPG with a LUN, and a reservation file of its storage object and of an absent one."""
    served(tree)
    tree.write("core/fileio_10000/a/attrib/emulate_pr", "1")
    tree.write("core/fileio_10000/a/pr/res_pr_registered_i_pts", memory)
    directory.mkdir()
    for serial, number in (("abc", 0), ("def", 1)):
        lines = (
            "PR_REG_START: 0", "initiator_node=host", "sa_res_key=17", "mapped_lun=5", f"target_node={IQN}",
            "tpgt=1", f"target_lun={number}", "PR_REG_END: 0",
        )  # fmt: skip
        write_before(directory / f"aptpl_{serial}", "\n".join(lines))


@pytest.mark.parametrize(
    ("memory", "live"), [("iSCSI Node: host Key: 0x11 PRgen: 0x1", True), ("SPC-3 PR Registrations:", False)]
)
def test_reservation_files_are_compared_with_the_kernel(tree: Tree, memory: str, live: bool) -> None:  # noqa: FBT001
    """A record is live if the kernel has it in memory; one of an absent storage object is not."""
    directory = tree.root / "pr"
    _reserved(tree, directory, memory)
    result = observe_lio(tree.root, NOBODY, ObservationHints(reservations=(directory,)))
    found = result.observed.reservations
    assert [(one.serial, one.storage_object, one.key, one.live) for one in found.records] == [
        ("abc", "a", "0x11", live),
        ("def", "", "0x11", False),
    ]
    assert (found.problem, found.damaged) == ("", ())
    assert take_lun_number(result.index, (IQN, 1), "new") == 2


def test_a_reservation_file_that_is_cut_off_is_reported(tree: Tree) -> None:
    """If it is one of lunmapd's storage objects."""
    directory = tree.root / "pr"
    _reserved(tree, directory, "")
    for serial in ("abc", "def"):
        write_before(directory / f"aptpl_{serial}", "PR_REG")
    found = observe_lio(tree.root, NOBODY, ObservationHints(reservations=(directory,))).observed.reservations
    assert found.damaged == (str(directory / "aptpl_abc"),)


def test_a_reservation_file_that_changes_just_now_is_no_problem(tree: Tree) -> None:
    """The kernel may be writing it, and its list of registrations may already differ."""
    directory = tree.root / "pr"
    _reserved(tree, directory, "")
    text = (directory / "aptpl_abc").read_text()
    hints = ObservationHints(reservations=(directory,))
    write_before(directory / "aptpl_abc", text, seconds=0)
    assert next(iter(observe_lio(tree.root, NOBODY, hints).observed.reservations.records)).live
    write_before(directory / "aptpl_abc", "PR_REG", seconds=0)
    assert observe_lio(tree.root, NOBODY, hints).observed.reservations.damaged == ()


def test_a_stuck_storage_object_is_not_asked_for_its_reservations(tree: Tree) -> None:
    """Its records count as live, as they were last."""
    directory = tree.root / "pr"
    _reserved(tree, directory, "")
    (item,) = (
        item
        for item in observe(tree.root, NOBODY).objects.values()
        if isinstance(item, lio_objects.StorageObject)
    )
    hints = ObservationHints((StuckDirectory("core/fileio_10000", (item,)),), reservations=(directory,))
    found = observe_lio(tree.root, NOBODY, hints).observed.reservations.records
    assert [one.live for one in found] == [True, False]


def test_only_a_node_that_offers_reservations_must_be_able_to_write_them(tree: Tree) -> None:
    """Without such a storage object, the directory is not written to."""
    served(tree)
    file = tree.root / "pr"
    file.touch()
    hints = ObservationHints(reservations=(file,))
    assert observe_lio(tree.root, NOBODY, hints).observed.reservations.problem == ""
    tree.write("core/fileio_10000/a/attrib/emulate_pr", "1")
    assert "can't write to" in observe_lio(tree.root, NOBODY, hints).observed.reservations.problem
