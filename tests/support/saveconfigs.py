"""Saved configurations of targetcli, in the formats of rtslib 2.1.75 and 2.2."""

from copy import deepcopy
from typing import Any

A, B = "iqn.2003-01.org.linux-iscsi.san:a", "iqn.2003-01.org.linux-iscsi.san:b"
HOST = "iqn.1993-08.org.debian:01:abcdef"
OTHER = "iqn.1993-08.org.debian:01:fedcba"

DISK: dict[str, Any] = {
    "name": "db1", "plugin": "block", "wwn": "5b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", "dev": "/dev/vg0/db1", "readonly": False,
    "write_back": False, "attributes": {"block_size": 512, "emulate_model_alias": 1, "emulate_caw": 1, "emulate_tpu": 1},
    "alua_tpgs": [{"name": "default_tg_pt_gp", "tg_pt_gp_id": 0}],
}  # fmt: skip
FILE: dict[str, Any] = {
    "name": "logs", "plugin": "fileio", "wwn": "1b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", "dev": "/srv/logs.img", "size": 1 << 30,
    "write_back": False, "aio": False, "attributes": {"block_size": 4096, "emulate_pr": 0}, "alua_tpgs": [],
}  # fmt: skip
MEMORY: dict[str, Any] = {
    "name": "ram", "plugin": "ramdisk", "wwn": "2b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", "size": 1 << 20, "nullio": False,
    "attributes": {}, "alua_tpgs": [],
}  # fmt: skip
PASSED: dict[str, Any] = {"name": "tape", "plugin": "pscsi", "dev": "/dev/sg3", "attributes": {}}
PROGRAM: dict[str, Any] = {
    "name": "rbd", "plugin": "user", "wwn": "3b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e", "config": "rbd/pool/image", "size": 1 << 20,
    "attributes": {"cmd_time_out": "30"},
}  # fmt: skip


def acl(name: str = HOST, *luns: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Return an ACL with mapped LUNs, given as number and TPG LUN."""
    maps = [{"index": number, "tpg_lun": lun, "write_protect": False, "alias": "x"} for number, lun in luns]
    return {"node_wwn": name, "attributes": {"authentication": -1}, "mapped_luns": maps, **more}


def target(iqn: str, luns: dict[int, str], *acls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a target with one TPG that exports `luns`, number to plugin and name."""
    tpg = {
        "tag": 1, "enable": True,
        "attributes": {"authentication": 0, "generate_node_acls": 0, "cache_dynamic_acls": 0, "login_timeout": 20},
        "parameters": {"MaxConnections": "4", "AuthMethod": "CHAP,None", "TargetAlias": "LIO Target"},
        "luns": [{"index": n, "storage_object": f"/backstores/{name}", "alias": "x"} for n, name in luns.items()],
        "node_acls": list(acls), "portals": [{"ip_address": "0.0.0.0", "port": 3260, "iser": False}],  # noqa: S104
    }  # fmt: skip
    return {"wwn": iqn, "fabric": "iscsi", "tpgs": [tpg | more]}


def saved(*targets: dict[str, Any], storage: tuple[dict[str, Any], ...] = (DISK, FILE)) -> dict[str, Any]:
    """Return a whole file, to be changed at will."""
    loop = {"wwn": "naa.5001405b7d2a8f1e", "fabric": "loopback", "tpgs": [{"tag": 1}]}
    return deepcopy({"storage_objects": [*storage], "targets": [*targets, loop], "fabric_modules": []})
