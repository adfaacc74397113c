"""Configurations of ceph-iscsi, Pacemaker and LINSTOR Gateway, in the formats of their own tools."""

from copy import deepcopy
from typing import Any

IQN = "iqn.2026-01.org.example:t1"
H1, H2 = "iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2"
WWN = "6b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e"
PASSWORD = "a-secret-of-14"  # noqa: S105 - of no account
ENCRYPTED = "c2VjcmV0" * 20

_LUNS = {"rbd.disk_1": {"lun_id": 3}}
_PAIR = f"alice/{PASSWORD}"
_IPS = ["10.0.0.11", "10.0.0.12"]
_GATEWAYS = {
    host: {"active_luns": 1, "gateway_ip_list": _IPS, "portal_ip_address": address, "tpgs": 2}
    for host, address in (("gw1", _IPS[0]), ("gw2", _IPS[1]))
}
_DISK: dict[str, Any] = {
    "controls": {"qfull_timeout": 18}, "image": "disk_1", "owner": "gw2", "pool": "rbd", "pool_id": 7, "wwn": WWN,
}  # fmt: skip
_FIRST: dict[str, Any] = {
    "version": 1,
    "clients": {H1: {"auth": {"chap": _PAIR}, "luns": _LUNS}, H2: {"auth": {"chap": _PAIR}, "luns": _LUNS}},
    "controls": {"immediate_data": False, "nopin_timeout": 17},
    "disks": {"rbd.disk_1": _DISK},
    "epoch": 19,
    "gateways": {"created": "2018/12/07 09:18:06", "ip_list": _IPS, "iqn": IQN, **_GATEWAYS},
}


def ceph_document(version: int) -> dict[str, Any]:
    """Return a gateway.conf as ceph-iscsi has it at a version of the document.

    Each step is that of Config._upgrade_config in ceph_iscsi_config/common.py. All versions describe one
    configuration: target IQN of gw1 and gw2, disk rbd/disk_1 as LUN 3 of both members of group g.
    """
    document = deepcopy(_FIRST)
    for step in range(1, version):
        _STEPS.get(step, lambda _: None)(document)
    return document | {"version": version}


def _add_groups(document: dict[str, Any]) -> None:
    document["groups"] = {"g": {"disks": deepcopy(_LUNS), "members": [H1, H2]}}
    for client in document["clients"].values():
        client["group_name"] = "g"


def _add_targets(document: dict[str, Any]) -> None:
    gateways = document["gateways"]
    document["discovery_auth"] = {"chap": "", "chap_mutual": ""}
    for client in document["clients"].values():
        client["auth"]["chap_mutual"] = ""
    document["targets"] = {
        IQN: {
            "disks": list(document["disks"]), "clients": document.pop("clients"), "groups": document.pop("groups"),
            "portals": {host: gateways[host] for host in ("gw1", "gw2")},
            "controls": document.pop("controls"), "ip_list": gateways["ip_list"],
        }
    }  # fmt: skip
    document["gateways"] = {"gw1": {"active_luns": 1}, "gw2": {"active_luns": 0}}


def _rename_disks(document: dict[str, Any]) -> None:
    target = document["targets"][IQN]
    document["disks"] = {
        "rbd/disk_1": document["disks"]["rbd.disk_1"] | {"backstore_object_name": "rbd.disk_1"}
    }
    target["disks"] = ["rbd/disk_1"]
    for holder in (*target["clients"].values(),):
        holder["luns"] = {"rbd/disk_1": {"lun_id": 3}}
    target["groups"]["g"]["disks"] = {"rbd/disk_1": {"lun_id": 3}}


def _split_auth(document: dict[str, Any]) -> None:
    document["discovery_auth"] = ceph_auth()
    for client in document["targets"][IQN]["clients"].values():
        client["auth"] = ceph_auth("alice", PASSWORD)


def ceph_auth(user: str = "", password: str = "", *, encrypted: bool = False) -> dict[str, Any]:
    """Return credentials as of version 8."""
    return {
        "username": user, "password": password, "password_encryption_enabled": encrypted,
        "mutual_username": "", "mutual_password": "", "mutual_password_encryption_enabled": False,
    }  # fmt: skip


def _list_addresses(document: dict[str, Any]) -> None:
    for portal in document["targets"][IQN]["portals"].values():
        portal["portal_ip_addresses"] = [portal.pop("portal_ip_address")]


def _number_disks(document: dict[str, Any]) -> None:
    document["targets"][IQN] |= {"auth": ceph_auth(), "disks": {"rbd/disk_1": {"lun_id": 0}}}


def _set(key: str, value: object) -> Any:
    def step(document: dict[str, Any]) -> None:
        for item in document["disks" if key == "backstore" else "targets"].values():
            item[key] = value

    return step


_STEPS = {
    2: _add_groups, 3: _add_targets, 4: _set("backstore", "user:rbd"), 5: _set("acl_enabled", True), 6: _rename_disks,
    7: _split_auth, 8: _list_addresses, 10: _number_disks,
}  # fmt: skip

CRM = rf"""node 1: n1 \
	attributes standby=off
node $id="2" n2
# the volume
primitive drbd_r0 ocf:linbit:drbd \
	params drbd_resource=r0 \
	op monitor interval=29s role=Master
primitive ip1 IPaddr2 params ip=10.0.0.100 cidr_netmask=24
primitive lun1 ocf:heartbeat:iSCSILogicalUnit \
	params target_iqn="{IQN}" lun=1 path="/dev/drbd0" implementation=lio-t \
	op start timeout=10s interval=0
primitive t1 ocf:heartbeat:iSCSITarget \
	params $id=t1-attributes iqn="{IQN}" portals="10.0.0.100:3260" allowed_initiators="{H1} {H2}" \
	params incoming_username=joe incoming_password="a secret word" \
	meta target-role=Started
group g1 ip1 t1 lun1
property cib-bootstrap-options: \
	stonith-enabled=true
"""

PCS = f"""Cluster Name: c
Corosync Nodes:
 n1 n2
Pacemaker Nodes:
 n1 n2

Resources:
  Group: g1
    Resource: ip1 (class=ocf provider=heartbeat type=IPaddr2)
      Attributes: ip1-instance_attributes
        cidr_netmask=24
        ip=10.0.0.100
      Operations:
        monitor: ip1-monitor-interval-10s
          interval=10s timeout=20s
    Resource: t1 (class=ocf provider=heartbeat type=iSCSITarget)
      Attributes: t1-instance_attributes
        allowed_initiators="{H1} {H2}"
        incoming_username=joe
        iqn={IQN}
        portals=10.0.0.100:3260
        Secret Attributes:
          incoming_password
    Resource: lun1 (class=ocf provider=heartbeat type=iSCSILogicalUnit)
      Attributes: implementation=lio-t lun=1 path=/dev/drbd0 target_iqn={IQN}
      Operations: start interval=0s timeout=10s (lun1-start-interval-0s)
"""

CIB = f"""<?xml version="1.0"?>
<cib validate-with="pacemaker-3.7"><configuration>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources><group id="g1">
<primitive id="ip1" class="ocf" provider="heartbeat" type="IPaddr2"><instance_attributes id="i">
<nvpair id="i1" name="ip" value="10.0.0.100"/></instance_attributes></primitive>
<primitive id="t1" class="ocf" provider="heartbeat" type="iSCSITarget"><instance_attributes id="a">
<nvpair id="a1" name="iqn" value="{IQN}"/><nvpair id="a2" name="portals" value="10.0.0.100:3260"/>
<nvpair id="a3" name="allowed_initiators" value="{H1} {H2}"/><nvpair id="a4" name="incoming_username" value="joe"/>
<nvpair id="a5" name="incoming_password" value="lrm://"/></instance_attributes>
<operations><op id="o"><instance_attributes id="b"><nvpair id="b1" name="iqn" value="other"/></instance_attributes></op>
</operations></primitive>
<primitive id="lun1" class="ocf" provider="heartbeat" type="iSCSILogicalUnit"><instance_attributes id="c">
<nvpair id="c1" name="target_iqn" value="{IQN}"/><nvpair id="c2" name="lun" value="1"/>
<nvpair id="c3" name="path" value="/dev/drbd0"/></instance_attributes></primitive>
</group></resources></configuration></cib>
"""

REACTOR = f"""# Generated by LINSTOR Gateway at 2026-01-01
# DO NOT MODIFY!

[[promoter]]
  [promoter.metadata]
    linstor-gateway-schema-version = 1
  [promoter.resources]
    [promoter.resources.t1]
      runner = "systemd"
      start = [
        "ocf:heartbeat:Filesystem fs_cluster_private device=/dev/drbd1000 directory=/srv/ha/internal/t1 fstype=ext4",
        "ocf:heartbeat:portblock pblock0 action=block ip=10.0.0.100 portno=3260 protocol=tcp",
        "ocf:heartbeat:IPaddr2 service_ip0 cidr_netmask=24 ip=10.0.0.100",
        "ocf:heartbeat:iSCSITarget target allowed_initiators='{H1} {H2}' incoming_password='' incoming_username='' iqn={IQN} portals=10.0.0.100:3260",
        "ocf:heartbeat:iSCSILogicalUnit lu1 lun=1 path=/dev/drbd/by-res/t1/1 product_id=1a2b3c4d scsi_sn=1a2b3c4d target_iqn={IQN}",
        "some.service",
      ]
"""
