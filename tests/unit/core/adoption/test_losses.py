"""Every setting that rtslib saves is carried into the map, or is a reason to leave the target alone."""

import inspect
import re
from typing import Any

import pytest
from msgspec import structs
from rtslib_fb import alua, fabric, target, tcm

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.adoption.losses import depth_losses, identity_losses, port_losses
from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.base.lunmap import Access
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from support.saveconfigs import A
from support.saved_settings import (
    ATTRIBUTES,
    CASES,
    CHANGES,
    NAMES,
    NO_EFFECT,
    NODE,
    PLUGIN_OF,
    PROGRAM_ATTRIBUTES,
    STORAGE_KEYS,
    Change,
    acl_of,
    adopted,
    found,
    item_of,
    tpg_of,
    usual,
)

_OBJECTS = [
    tcm.BlockStorageObject,
    tcm.FileIOStorageObject,
    tcm.RDMCPStorageObject,
    tcm.UserBackedStorageObject,
]


def _keys(*classes: Any) -> set[str]:
    """Return the keys that the dump() of these classes can write."""
    return {
        key for cls in classes for key in re.findall(r"d\[['\"](\w+)['\"]\]", inspect.getsource(cls.dump))
    }


@pytest.mark.parametrize(("plugin", "change"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_no_setting_of_a_file_is_lost_in_silence(plugin: str, change: Change) -> None:
    """A value that is not the default is in the map or named, or the target is not adopted, with a reason."""
    file = usual(plugin)
    before = adopted(file)
    assert before.refused == {}
    change(file)
    after = adopted(file)
    assert A in after.refused or after.lunmap != before.lunmap or after.notes
    assert A not in after.lunmap.targets or A not in after.refused


def test_the_cases_have_every_key_that_rtslib_saves() -> None:
    """A key that another release of rtslib adds fails here, until its loss is considered."""
    known = {key for _, key in STORAGE_KEYS | dict.fromkeys(NO_EFFECT)} | CHANGES.keys() | NAMES
    objects = _keys(*_OBJECTS, tcm.StorageObject, target.Target, target.TPG, target.LUN, target.MappedLUN)
    others = _keys(target.NetworkPortal, target.NodeACL, alua.ALUATargetPortGroup, fabric._BaseFabricModule)
    assert objects | others <= known


def test_the_cases_have_every_attribute_that_a_map_can_set() -> None:
    """The attributes of the cases are at least those of a map, for each plugin."""
    given = {"block": ATTRIBUTES, "fileio": ATTRIBUTES, "ramdisk": ATTRIBUTES, "user": PROGRAM_ATTRIBUTES}
    for plugin, attributes in given.items():
        assert {name for kind, name in STORAGE if kind == PLUGIN_OF[plugin]} <= attributes.keys()


def test_the_defaults_of_a_group_and_of_a_program_are_no_loss() -> None:
    """A file as targetcli saves it untouched is adopted, with all settings in it."""
    group = {name: 1 for name in alua.alua_rw_params if "support" in name} | {
        "alua_access_state": 0, "alua_access_status": 0, "alua_access_type": 3, "alua_write_metadata": 0, "preferred": 0,
        "nonop_delay_msecs": 100, "trans_delay_msecs": 0, "implicit_trans_secs": 0,
    }  # fmt: skip
    file = usual()
    item_of(file)["alua_tpgs"][0].update(group)
    item_of(file)["alua_tpgs"][0]["alua_support_lba_dependent"] = None
    tpg_of(file)["attributes"].update(netif_timeout=2)
    tpg_of(file)["of_a_later_release"] = False
    tpg_of(file)["parameters"].update(
        IFMarker="No", OFMarker="No", IFMarkInt="Reject", OFMarkInt="2048~65535"
    )
    assert adopted(file).refused == {}
    item_of(file)["alua_tpgs"][0]["alua_access_type"] = 1
    assert adopted(file).refused == {}
    file = usual("user")
    item_of(file).update(
        hw_max_sectors=128, control="max_data_area_mb=1024,hw_block_size=512,data_pages_per_blk=1"
    )
    item_of(file)["attributes"].update(
        dev_config="rbd/pool/image", dev_size=1 << 20, qfull_time_out=-1, hw_block_size=512
    )
    assert adopted(file).refused == {}


def test_a_write_protected_storage_object_stays_so() -> None:
    """All maps of a read-only storage object are read-only, and nothing differs afterwards."""
    file = usual()
    item_of(file)["readonly"] = True
    made = adopted(file)
    assert [entry.access for entry in made.lunmap.luns["db1"].maps] == [Access.READ_ONLY]
    foreign = found(file)
    wanted = project_map(made.lunmap, NODE)
    assert not [step for step in plan(wanted, as_ours(foreign, wanted)) if "mapped_lun" in str(step)]


def test_attributes_are_carried_with_the_value_that_initiators_see() -> None:
    """A block size that is not the device's is kept, also where the file does not have the device's."""
    file = usual()
    item_of(file)["attributes"] = {"block_size": 4096, "queue_depth": 64, "optimal_sectors": 1024}
    assert adopted(file).lunmap.luns["db1"].attributes == {
        "block_size": 4096,
        "queue_depth": 64,
        "optimal_sectors": 1024,
    }


def test_the_defaults_of_a_file_stay_out_of_the_map() -> None:
    """What the kernel sets for every file is no setting of the admin, with any block size."""
    file = usual("fileio")
    item_of(file)["attributes"] = {
        "block_size": 4096, "queue_depth": 128, "optimal_sectors": 16384, "hw_max_sectors": 2048, "max_unmap_lba_count": 8192,
        "max_write_same_len": 4096, "is_nonrot": 0,
    }  # fmt: skip
    assert adopted(file).lunmap.luns["logs"].attributes == {"block_size": 4096}


def test_a_portal_is_an_address_not_a_spelling() -> None:
    """The portal `::0` of a file is `::` of the map."""
    file = usual()
    tpg_of(file)["portals"] = [{"ip_address": "[::0]", "port": 3260}]
    made = adopted(file)
    assert made.refused == {}
    assert made.lunmap.nodes[NODE].portals == ("[::]:3260",)


@pytest.mark.parametrize(
    ("portal", "reason"),
    [("[fe80::1%eth0]:3260", "is not a portal"), ("[::ffff:10.0.0.1]:3260", "write 10.0.0.1:3260")],
)
def test_a_portal_that_no_map_can_have_is_named(portal: str, reason: str) -> None:
    """A running portal that no map can have keeps its target from being adopted, with the reason."""
    running = found(usual())
    (tpg,) = (structs.replace(tpg, portals={portal: False}) for tpg in running.tpgs)
    made = adopt(structs.replace(running, tpgs=(tpg,)), NODE)
    assert reason in made.refused[A]


def test_all_reasons_are_given_at_once() -> None:
    """Each repair can cost an outage, so the admin sees all reasons before the first."""
    file = usual()
    item_of(file)["exclusive"] = False
    tpg_of(file)["enable"] = False
    acl_of(file)["attributes"]["nopin_timeout"] = 5
    reason = adopted(file).refused[A]
    assert all(text in reason for text in ("is disabled", "exclusive", "nopin_timeout"))
    item_of(file)["wwn"] = "xyz"
    tpg_of(file)["portals"][0]["ip_address"] = "224.0.0.1"
    reason = adopted(file).refused[A]
    assert all(text in reason for text in ("is disabled", "is not a serial", "is not a portal"))
    acl_of(file)["mapped_luns"] = []
    assert "mapped to nobody" in adopted(file).refused[A]


def test_a_model_is_cut_where_the_kernel_cuts_it() -> None:
    """LIO shows the first 15 characters of a name as the product."""
    file = usual()
    item_of(file).update(name="udisks_test_iscsi2", attributes={"emulate_model_alias": 1})
    tpg_of(file)["luns"][0]["storage_object"] = "/backstores/block/udisks_test_iscsi2"
    assert adopted(file).lunmap.luns["udisks_test_iscsi2"].product == "udisks_test_isc"


def test_what_only_the_kernel_shows_is_named() -> None:
    """The company id, the revision and the command window have no key in a file."""
    usual = {"company_id": "0x001405", "revision": "4.0", "vendor_id": "x", "pd_text_id_info": ""}
    assert [*identity_losses("iblock", usual), *identity_losses("user", {"company_id": "0x1"})] == []
    others = {"company_id": "0x6589cf", "revision": "1.0", "pd_text_id_info": "0"}
    losses = [list(identity_losses("iblock", usual | {name: value})) for name, value in others.items()]
    assert [name in only for (only,), name in zip(losses, others, strict=True)] == [True, True, True]
    assert list(depth_losses("64", {"default_cmdsn_depth": "64"})) == list(depth_losses(None, {})) == []
    assert [len(list(port_losses({"alua_tg_pt_status": value}))) for value in ("0", "1")] == [0, 1]
    assert "cmdsn_depth is 32" in next(depth_losses("32", {"default_cmdsn_depth": "64"}))
