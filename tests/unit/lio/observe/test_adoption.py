"""Foreign objects are surveyed, marked, and observed as ours from then on."""

from pathlib import Path

import pytest

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.node import lio_objects
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from lunmapd.lio.apply.mark import mark_adopted
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.observe.observe_foreign import observe_foreign
from support.configfs_tree import Tree
from support.observing import observe

IQN = "iqn.2020-01.org.example:disks"
HOST = "iqn.2020-01.org.example:host"
TPGT = f"iscsi/{IQN}/tpgt_1"
SERIAL = "5b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e"
NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a LIO in which another tool exports `a` and has an unused `b`."""
    made = Tree(tmp_path)
    for index, name in enumerate(("a", "b")):
        made.storage_object(name, f"fileio_{index}", SERIAL)
        made.write(f"core/fileio_{index}/{name}/alias", "")
        made.write(f"core/fileio_{index}/{name}/wwn/vendor_id", "LIO-ORG")
        for attribute in ("emulate_tpu", "emulate_3pc"):
            made.write(f"core/fileio_{index}/{name}/attrib/{attribute}", "1")
        size = "Status: ACTIVATED\n File: /srv/a  Size: 4096  Mode: O_DSYNC Async: 0"
        made.write(f"core/fileio_{index}/{name}/info", size)
    made.tpg(f"{IQN}/tpgt_1", "", enabled=True)
    made.link(f"{TPGT}/lun/lun_3", "core/fileio_0/a", "0c9e8f0a1b")
    made.link(f"{TPGT}/acls/{HOST}/lun_5", f"{TPGT}/lun/lun_3", "7d1c")
    made.write(f"{TPGT}/acls/{HOST}/lun_5/write_protect", "0")
    made.write(f"{TPGT}/np/10.0.0.1:3260/iser", "0")
    return made


def _wanted(tree: Tree) -> lio_objects.DesiredObjects:
    made = adopt(observe_foreign(tree.root), "n1")
    assert made.refused == {"b": "this storage object is exported by no target; it is left alone"}
    return project_map(made.lunmap, "n1")


def test_other_fabrics_and_sessions_without_an_acl_are_surveyed(tree: Tree) -> None:
    """A loopback target with a LUN of `b` is named, and so is an initiator that demo mode let in."""
    tree.link("loopback/naa.5001405b7d2a8f1e/tpgt_1/lun/lun_0", "core/fileio_1/b", "0c9e")
    (tree.root / "vhost/naa.6001405b7d2a8f1e/tpgt_1/lun").mkdir(parents=True)
    tree.write(f"{TPGT}/dynamic_sessions", f"{HOST}\0\n")
    found = observe_foreign(tree.root)
    assert found.others == {"loopback naa.5001405b7d2a8f1e": ("fileio_1/b",)}
    assert found.tpgs[0].dynamic == (HOST,)


def test_the_tpg_of_this_node_is_marked_after_those_of_other_gateways(tree: Tree) -> None:
    """If the first mark is the last one, the target is still found, with its other TPG marked."""
    wanted = _wanted(tree)
    tree.tpg(f"{IQN}/tpgt_2", "", enabled=False)
    tree.link(f"iscsi/{IQN}/tpgt_2/lun/lun_0", "core/fileio_0/a", "0c9e8f0a1c")
    found = observe_foreign(tree.root)
    path = tree.root / TPGT / "param/TargetAlias"
    path.unlink()
    path.mkdir()
    with pytest.raises(KernelRefusedError):
        mark_adopted(tree.root, found, wanted)
    path.rmdir()
    assert [tpg.tag for tpg in observe_foreign(tree.root).tpgs] == [1]


def test_what_is_taken_is_ours_and_as_it_was_read(tree: Tree) -> None:
    """Nothing is ours before it is marked; afterwards it is observed as surveyed, and the rest isn't."""
    wanted, found = _wanted(tree), observe_foreign(tree.root)
    assert observe(tree.root, NOBODY).objects == {}
    mark_adopted(tree.root, found, wanted)
    seen = observe(tree.root, NOBODY)
    assert seen.objects == as_ours(found, wanted)
    assert not any("b" in name for name in seen.objects)
    assert plan(wanted, seen.objects) == ()
    assert observe_foreign(tree.root).tpgs == ()


def test_an_access_type_that_will_be_set_is_a_step(tree: Tree) -> None:
    """With explicit ALUA, the kernel's default, adoption lists that lunmapd makes it implicit."""
    wanted, found = _wanted(tree), observe_foreign(tree.root)
    assert plan(wanted, as_ours(found, wanted)) == ()
    tree.write("core/fileio_0/a/alua/default_tg_pt_gp/alua_access_type", "Implicit and Explicit")
    (step,) = plan(wanted, as_ours(observe_foreign(tree.root), wanted))
    assert "access type Implicit and Explicit -> optimized, access type Implicit" in str(step)


def test_a_target_is_marked_after_its_storage_objects(tree: Tree) -> None:
    """Killed in between, the target is still another tool's, so no LUN of it can be taken for half-made."""
    wanted, found = _wanted(tree), observe_foreign(tree.root)
    alias = tree.root / TPGT / "param/TargetAlias"
    alias.unlink()
    alias.mkdir()
    with pytest.raises(KernelRefusedError, match="mark"):
        mark_adopted(tree.root, found, wanted)
    alias.rmdir()
    assert (tree.root / "core/fileio_0/a/alias").read_text() == "lunmapd emulate_tpu adopted"
    assert {type(item) for item in observe(tree.root, NOBODY).objects.values()} == {lio_objects.StorageObject}


def test_a_taking_over_that_was_killed_is_done_again(tree: Tree) -> None:
    """With storage objects marked and the target not, the survey is the same, and the rest is marked."""
    wanted, found = _wanted(tree), observe_foreign(tree.root)
    tree.write("core/fileio_0/a/alias", "lunmapd emulate_tpu adopted")
    assert observe_foreign(tree.root) == found
    assert _wanted(tree) == wanted
    mark_adopted(tree.root, observe_foreign(tree.root), wanted)
    assert observe(tree.root, NOBODY).objects == as_ours(found, wanted)
    assert "a" not in {item.name for item in observe_foreign(tree.root).storage.values()}


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("core/fileio_0/a/info", "File: /srv/a  Size: 4096  Mode: Buffered-WCE", "write-back"),
        ("core/fileio_0/a/info", "Status: DEACTIVATED", "not configured"),
        ("core/fileio_0/a/alua/ao/members", "", "target port groups"),
        (f"{TPGT}/enable", "0", "disabled"),
        (f"{TPGT}/acls/{HOST}/attrib/authentication", "1", "attribute authentication"),
        ("core/fileio_0/a/info", "File: /srv/a  Size: 4096  Mode: O_DSYNC Async: 1", "aio"),
        ("core/fileio_0/a/info", "File: /srv/a  Size: 4096  exclusive: 0", "exclusive"),
        ("core/fileio_0/a/wwn/company_id", "0x6589cf", "company_id"),
        ("core/fileio_0/a/wwn/revision", "1.0", "revision"),
        ("core/fileio_0/a/wwn/pd_text_id_info", "0", "pd_text_id_info"),
        ("core/fileio_0/a/attrib/pi_prot_type", "1", "pi_prot_type"),
        ("core/fileio_0/a/attrib/of_a_later_kernel", "1", "of_a_later_kernel"),
        ("core/fileio_0/a/alua/default_tg_pt_gp/alua_access_state", "1", "alua_access_state"),
        ("core/fileio_0/a/alua_lu_gp", "LU Group Alias: own", "logical unit group"),
        ("core/fileio_0/a/lba_map", "1 0 1", "referrals"),
        (f"{TPGT}/attrib/of_a_later_kernel", "1", "of_a_later_kernel"),
        (f"{TPGT}/param/of_a_later_kernel", "1", "of_a_later_kernel"),
        (f"iscsi/{IQN}/param/cmd_completion_affinity", "2", "cmd_completion_affinity"),
        (f"{TPGT}/auth/userid", "bob", "CHAP credentials of its own"),
        (f"{TPGT}/np/10.0.0.1:3260/cxgbit", "1", "offload"),
        (f"{TPGT}/np/[::ffff:10.0.0.1]:3260/iser", "0", "write 10.0.0.1:3260"),
        (f"{TPGT}/lun/lun_3/alua_tg_pt_offline", "1", "offline"),
        (f"{TPGT}/acls/{HOST}/attrib/nopin_timeout", "5", "nopin_timeout"),
    ],
)
def test_what_no_map_can_say_is_noticed(tree: Tree, path: str, text: str, reason: str) -> None:
    """The kernel shows it, and the target stays another tool's."""
    tree.write(path, text)
    assert reason in adopt(observe_foreign(tree.root), "n1").refused[IQN]


def test_a_tag_of_an_acl_is_named(tree: Tree) -> None:
    """Targetcli shows it in place of the initiator's name, and it prevents nothing."""
    tree.write(f"{TPGT}/acls/{HOST}/tag", "web")
    made = adopt(observe_foreign(tree.root), "n1")
    assert IQN in made.lunmap.targets
    assert "(web) are names that targetcli shows" in made.notes[0]


def test_a_running_portal_is_an_address_not_a_spelling(tree: Tree) -> None:
    """Targetcli's `[::0]:3260` is `[::]:3260` of the map."""
    tree.write(f"{TPGT}/np/[::0]:3261/iser", "0")
    draft = adopt(observe_foreign(tree.root), "n1")
    assert IQN not in draft.refused
    assert draft.lunmap.nodes["n1"].portals == ("10.0.0.1:3260", "[::]:3261")


def test_the_kernels_defaults_are_no_reason(tree: Tree) -> None:
    """A configuration that shows all its files is adopted, as long as they are at their defaults."""
    for path, text in (
        ("core/fileio_0/a/wwn/company_id", "0x001405"),
        ("core/fileio_0/a/wwn/revision", "4.0"),
        ("core/fileio_0/a/attrib/max_unmap_lba_count", "8192"),
        ("core/fileio_0/a/alua/default_tg_pt_gp/alua_access_type", "Implicit and Explicit"),
        ("core/fileio_0/a/alua_lu_gp", "LU Group Alias: default_lu_gp\nLU Group ID: 0"),
        (f"iscsi/{IQN}/param/cmd_completion_affinity", "-1"),
        (f"{TPGT}/auth/userid", "NULL"),
        (f"{TPGT}/acls/{HOST}/attrib/nopin_timeout", "15"),
        (f"{TPGT}/acls/{HOST}/cmdsn_depth", "64"),
    ):
        tree.write(path, text)
    assert IQN not in adopt(observe_foreign(tree.root), "n1").refused


def test_a_write_protected_storage_object_is_mapped_read_only(tree: Tree) -> None:
    """Each map of a read-only storage object is read-only, also where its mapped LUN is not."""
    size = "Status: ACTIVATED\n File: /srv/a  Size: 4096  Mode: O_DSYNC Async: 0 readonly: 1"
    tree.write("core/fileio_0/a/info", size)
    found = observe_foreign(tree.root)
    wanted = project_map(adopt(found, "n1").lunmap, "n1")
    (mapped,) = (item for item in wanted.values() if isinstance(item, lio_objects.MappedLun))
    assert mapped.write_protect
    mark_adopted(tree.root, found, wanted)
    steps = plan(wanted, observe(tree.root, NOBODY).objects)
    assert {(step.item, str(step.action)) for step in steps} == {
        (mapped, "update"),
        (wanted["storage_object", mapped.storage_object], "update"),
    }


def test_a_read_only_device_is_left_alone(tree: Tree, tmp_path: Path) -> None:
    """A device is opened for writing, so lunmapd could not open this one after a reboot."""
    devices = tmp_path / "devices"
    (devices / "253:0").mkdir(parents=True)
    (devices / "253:0/ro").write_text("1\n")
    info = (
        "Status: ACTIVATED\n iBlock device: dm-0  UDEV PATH: /dev/vg0/gold  readonly: 1\n Major: 253 Minor: 0"
    )
    tree.write("core/iblock_2/gold/info", info)
    found = observe_foreign(tree.root, str(devices))
    assert any("is read-only" in text for text in found.storage["iblock_2/gold"].problems)


def test_a_programs_device_is_read_with_its_settings(tree: Tree) -> None:
    """The area of a program's device is named if it is not the kernel's default."""
    info = "Status: ACTIVATED  SectorSize: 512  HwMaxSectors: 128\n Config: rbd/a Size: 4096 MaxDataAreaMB: 256 DataPagesPerBlk: 1"
    tree.write("core/user_2/p/info", info)
    (problem,) = observe_foreign(tree.root).storage["user_2/p"].problems
    assert problem.startswith("max_data_area_mb is 256")
