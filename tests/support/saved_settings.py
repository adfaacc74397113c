"""Files of targetcli with one setting that is not the default each: every one that rtslib can save."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from rtslib_fb import alua

from lunmapd.core.adoption.adopt import Adoption, adopt
from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.saveconfig import read_saveconfig
from lunmapd.core.base.attributes import PARAMETERS, TPG
from support.saveconfigs import DISK, FILE, HOST, MEMORY, PROGRAM, A, acl, saved
from support.saveconfigs import target as saved_target

Saved = dict[str, Any]
Change = Callable[[Saved], object]
NODE = "n1"

_STORAGE: dict[str, Saved] = {"block": DISK, "fileio": FILE, "ramdisk": MEMORY, "user": PROGRAM}
PLUGIN_OF = {"block": "iblock", "fileio": "fileio", "ramdisk": "rd_mcp", "user": "user"}


def usual(plugin: str = "block") -> Saved:
    """Return a file with one storage object of a plugin that can be adopted wholly."""
    item = _STORAGE[plugin] | {"attributes": {}}
    return saved(saved_target(A, {0: f"{plugin}/{item['name']}"}, acl(HOST, (0, 0))), storage=(item,))


def found(file: Saved) -> ForeignConfiguration:
    """Read a file."""
    return read_saveconfig(json.dumps(file).encode(), "saveconfig.json")


def adopted(file: Saved) -> Adoption:
    """Adopt a file."""
    return adopt(found(file), NODE)


def item_of(file: Saved) -> Saved:
    """Return the storage object of a file."""
    made: Saved = file["storage_objects"][0]
    return made


def tpg_of(file: Saved) -> Saved:
    """Return the TPG of a file."""
    made: Saved = file["targets"][0]["tpgs"][0]
    return made


def acl_of(file: Saved) -> Saved:
    """Return the ACL of a file."""
    made: Saved = tpg_of(file)["node_acls"][0]
    return made


def _fabric(file: Saved, **more: object) -> None:
    file["fabric_modules"] = [{"name": "iscsi", "discovery_enable_auth": True, **more}]


# The keys of each kind of object, each with a change to a value that is not the default.
STORAGE_KEYS: dict[tuple[str, str], object] = {
    ("block", "dev"): "/dev/vg0/other", ("block", "exclusive"): False, ("block", "readonly"): True,
    ("block", "wwn"): "6b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", ("fileio", "aio"): True,
    ("fileio", "dev"): "/srv/other.img", ("fileio", "size"): 2 << 30, ("fileio", "write_back"): True,
    ("fileio", "wwn"): "6b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", ("ramdisk", "nullio"): True,
    ("ramdisk", "size"): 2 << 20, ("ramdisk", "wwn"): "6b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e",
    ("user", "config"): "rbd/pool/other", ("user", "control"): "max_data_area_mb=256,hw_block_size=512",
    ("user", "hw_max_sectors"): 256, ("user", "size"): 2 << 20,
    ("user", "wwn"): "6b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e",
}  # fmt: skip
# The kernel refuses a write cache of a block device, so the file's word for it has no effect.
NO_EFFECT = {("block", "write_back")}
CHANGES: dict[str, Change] = {
    "alua_tpgs": lambda file: item_of(file).setdefault("alua_tpgs", []).append({"name": "own"}),
    "tag": lambda file: tpg_of(file).update(tag=7),
    "enable": lambda file: tpg_of(file).update(enable=False),
    "luns": lambda file: tpg_of(file).update(luns=[]),
    "portals": lambda file: tpg_of(file)["portals"].append({"ip_address": "10.0.0.1", "port": 3261}),
    "node_acls": lambda file: tpg_of(file).update(node_acls=[]),
    "storage_object": lambda file: tpg_of(file)["luns"][0].update(storage_object="/backstores/block/other"),
    "index": lambda file: acl_of(file)["mapped_luns"][0].update(index=9),
    "tpg_lun": lambda file: acl_of(file)["mapped_luns"][0].update(tpg_lun=9),
    "write_protect": lambda file: acl_of(file)["mapped_luns"][0].update(write_protect=True),
    "alua_tg_pt_gp_name": lambda file: tpg_of(file)["luns"][0].update(alua_tg_pt_gp_name="own"),
    "port": lambda file: tpg_of(file)["portals"][0].update(port=3261),
    "ip_address": lambda file: tpg_of(file)["portals"][0].update(ip_address="10.0.0.1"),
    "iser": lambda file: tpg_of(file)["portals"][0].update(iser=True),
    "offload": lambda file: tpg_of(file)["portals"][0].update(offload=True),
    "node_wwn": lambda file: acl_of(file).update(node_wwn="iqn.2020-01.org.example:x"),
    "mapped_luns": lambda file: acl_of(file).update(mapped_luns=[]),
    "tag of an ACL": lambda file: acl_of(file).update(tag="web"),
    "wwn": lambda file: file["targets"][0].update(wwn="iqn.2020-01.org.example:y"),
    "tpgs": lambda file: file["targets"][0].update(tpgs=[]),
    "discovery_enable_auth": _fabric,
    "discovery_userid": lambda file: _fabric(file, discovery_userid="d", discovery_password="e"),
    "chap of a TPG": lambda file: tpg_of(file).update(chap_userid="u", chap_password="p"),
    "mutual chap of a TPG": lambda file: tpg_of(file).update(chap_mutual_userid="u"),
    "chap": lambda file: acl_of(file).update(chap_userid="u", chap_password="p"),
    "parameters of a target": lambda file: file["targets"][0].update(
        parameters={"cmd_completion_affinity": "2"}
    ),
    "unknown of a storage object": lambda file: item_of(file).update(later=True),
    "unknown of a target": lambda file: file["targets"][0].update(later=True),
    "unknown of a TPG": lambda file: tpg_of(file).update(later=True),
    "unknown of an ACL": lambda file: acl_of(file).update(later=True),
    "unknown of a LUN": lambda file: tpg_of(file)["luns"][0].update(later=True),
    "unknown of a mapped LUN": lambda file: acl_of(file)["mapped_luns"][0].update(later=True),
    "unknown of a portal": lambda file: tpg_of(file)["portals"][0].update(later=True),
}
# `plugin`, `name` and `fabric` say which object it is; an alias is the name of a link, seen by no initiator.
NAMES = {"plugin", "name", "fabric", "alias", "tg_pt_gp_id"}

ATTRIBUTES = {
    "alua_support": 0, "block_size": 1024, "complete_type": 1, "emulate_3pc": 0, "emulate_caw": 0, "emulate_fua_write": 0,
    "emulate_model_alias": 1, "emulate_pr": 0, "emulate_rest_reord": 1, "emulate_rsoc": 0, "emulate_tas": 0, "emulate_tpu": 1,
    "emulate_tpws": 1, "emulate_ua_intlck_ctrl": 1, "enforce_pr_isids": 0, "force_pr_aptpl": 1, "is_nonrot": 1,
    "max_unmap_block_desc_count": 7, "max_unmap_lba_count": 7, "max_write_same_len": 7, "optimal_sectors": 8,
    "pgr_support": 0, "pi_prot_format": 1, "pi_prot_type": 1, "pi_prot_verify": 1, "queue_depth": 7, "submit_type": 1,
    "unmap_granularity": 7, "unmap_granularity_alignment": 7, "unmap_zeroes_data": 1, "of a later kernel": 1,
}  # fmt: skip
_ODD_TPG = (
    ("login_timeout", "soon"), ("later", 1), ("generate_node_acls", 1), ("cache_dynamic_acls", 1), ("authentication", 1),
)  # fmt: skip
_ODD_PARAMETERS = (
    ("IFMarker", "Yes"),
    ("OFMarkInt", "1024~2048"),
    ("AuthMethod", "CHAP"),
    ("TargetAlias", "ours"),
    ("Later", "1"),
)
# lunmapd sets it for the nodes that report the Lun, and reports that when it takes over.
_GOVERNED = {"emulate_3pc"}
PROGRAM_ATTRIBUTES = {"alua_support": 0, "cmd_time_out": 60, "emulate_pr": 0, "emulate_write_cache": 1, "nl_reply_supported": -1,
            "enforce_pr_isids": 0, "force_pr_aptpl": 1, "pgr_support": 0, "qfull_time_out": 7, "submit_type": 1, "tmr_notification": 1}  # fmt: skip
_ACL_ATTRIBUTES = {
    "authentication": 1, "dataout_timeout": 5, "dataout_timeout_retries": 3, "default_erl": 2, "nopin_response_timeout": 60,
    "nopin_timeout": 5, "random_datain_pdu_offsets": 1, "random_datain_seq_offsets": 1, "random_r2t_offsets": 1, "later": 1,
}  # fmt: skip


def _storage_cases() -> Iterator[tuple[str, str, Change]]:
    for (plugin, key), value in STORAGE_KEYS.items():
        yield f"{plugin}: {key}", plugin, _setting(item_of, key, value)
    everything = (
        ("block", ATTRIBUTES),
        ("fileio", ATTRIBUTES),
        ("ramdisk", ATTRIBUTES | {"is_nonrot": 0}),
        ("user", PROGRAM_ATTRIBUTES),
    )
    for plugin, attributes in everything:
        for name in attributes.keys() - _GOVERNED:
            change = _setting(lambda file: item_of(file)["attributes"], name, attributes[name])
            yield f"{plugin}: attribute {name}", plugin, change
    for name in alua.alua_rw_params:
        yield f"group: {name}", "block", _setting(lambda file: item_of(file)["alua_tpgs"][0], name, 2)


def _target_cases() -> Iterator[tuple[str, str, Change]]:
    for name, change in CHANGES.items():
        yield name, "block", change
    for name, odd in _ACL_ATTRIBUTES.items():
        yield f"ACL: {name}", "block", _setting(lambda file: acl_of(file)["attributes"], name, odd)
    ranges = {name: row.range.choices or (row.range.minimum, row.range.maximum) for name, row in TPG.items()}
    odd_ones = [
        (name, next(value for value in good if value != TPG[name].default)) for name, good in ranges.items()
    ]
    for name, text in (*odd_ones, *_ODD_TPG):
        yield f"TPG: {name}={text}", "block", _setting(lambda file: tpg_of(file)["attributes"], name, text)
    for name, text in (*dict.fromkeys(PARAMETERS, "No").items(), *_ODD_PARAMETERS):
        yield f"parameter {name}", "block", _setting(lambda file: tpg_of(file)["parameters"], name, text)


def _setting(where: Callable[[Saved], Saved], name: str, value: object) -> Change:
    return lambda file: where(file).update({name: value})


CASES = [*sorted(_storage_cases(), key=lambda row: row[0]), *_target_cases()]
"""Name, plugin and change of each case."""
