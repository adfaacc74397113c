"""ceph-iscsi's `gateway.conf` as a map. Pure.

The layout is that of ceph_iscsi_config/target.py: a target has one TPG for each gateway, whose tag is the
place of the gateway in `ip_list`. The settings and their defaults are those of gateway_setting.py (version
3.9); a default there that differs from LIO's is set in the map.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from lunmapd.core.adoption.losses import is_number
from lunmapd.core.base import names
from lunmapd.core.base.attributes import PARAMETERS
from lunmapd.core.base.backings import Backing, Block, User
from lunmapd.core.base.lunmap import (
    Lun,
    Lunmap,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.conversion.ceph_access import (
    authentication_asked,
    discovery_of,
    groups_of_targets,
    initiators_of_targets,
    maps_of_disks,
)
from lunmapd.core.conversion.ceph_document import (
    USER_RBD,
    CephDisk,
    CephDocument,
    CephTarget,
    read_ceph_document,
)
from lunmapd.core.conversion.conversion import Choices, Conversion, Notes, SourceText

_PARAMETERS = {
    "first_burst_length": ("FirstBurstLength", 262144),
    "immediate_data": ("ImmediateData", True),
    "initial_r2t": ("InitialR2T", True),
    "max_burst_length": ("MaxBurstLength", 524288),
    "max_outstanding_r2t": ("MaxOutstandingR2T", 1),
    "max_recv_data_segment_length": ("MaxRecvDataSegmentLength", 262144),
    "max_xmit_data_segment_length": ("MaxXmitDataSegmentLength", 262144),
}
# What convert_str_to_bool of gateway_setting.py takes.
_YES_NO = {"true": "Yes", "yes": "Yes", "1": "Yes", "false": "No", "no": "No", "0": "No"}
_RESET = (None, "")  # ceph-iscsi takes either as its default (Settings.normalize_controls)
_DEPTH = ("cmdsn_depth", 128)
_ACL_TIMES = "dataout_timeout, nopin_timeout and nopin_response_timeout"
_DEVICE = "max_data_area_mb and hw_max_sectors (ceph-iscsi: 8 and 1024)"
_QFULL = ("qfull_timeout", 5)
_OSD = ("osd_op_timeout", 30)
_PRODUCT = "TCMU device"  # tcmu-runner's answer to INQUIRY (libtcmu.c, tcmu_emulate_std_inquiry)


def convert_ceph_iscsi(source: SourceText, choices: Choices) -> Conversion:
    """Return the conversion of a gateway.conf. Raises NotConvertibleError."""
    notes = Notes()
    document = read_ceph_document(source.text, source.name)
    targets = document.all_targets()
    nodes = _nodes(document, notes, source.name)
    lunmap = Lunmap(
        luns=_luns(document, nodes, choices, notes, source.name),
        targets={iqn: _target(iqn, target, nodes, notes, source.name) for iqn, target in targets.items()},
        initiators=initiators_of_targets(targets, choices, notes, source.name),
        groups=groups_of_targets(targets),
        nodes=nodes,
    )
    _note_settings(targets, notes, source.name, krbd=choices.krbd)
    return notes.conversion(lunmap)


def _nodes(document: CephDocument, notes: Notes, name: str) -> dict[str, Node]:
    """Return the gateways as nodes; the tag is that of the first target that a gateway serves."""
    tags: dict[str, int] = {}
    portals: dict[str, dict[str, None]] = {}
    for iqn, target in document.all_targets().items():
        for tag, host in enumerate(_hosts_in_order(target), start=1):
            place = f"{name}: targets.{iqn}.portals.{host}"
            chosen = tags.setdefault(host, tag if tag not in tags.values() else _free(tags))
            if chosen != tag:
                notes.changed(place, f"its TPG has tag {tag}, and in the map {chosen}: a node has one tag")
            addresses = target.portals[host].addresses()
            portals.setdefault(host, {}).update(dict.fromkeys(map(_portal, addresses)))
            notes.carried(place, f"nodes[{host}]")
    discovery = discovery_of(document.discovery_auth, sorted(tags), notes, f"{name}: discovery_auth")
    return {host: Node(tag, tuple(portals[host]), discovery=discovery) for host, tag in tags.items()}


def _hosts_in_order(target: CephTarget) -> list[str]:
    """Return the gateways in the order of their TPGs: that of their first addresses in `ip_list`."""
    order = {address: place for place, address in enumerate(target.ip_list)}
    return sorted(
        target.portals,
        key=lambda host: min(
            (order.get(address, len(order)) for address in target.portals[host].addresses()),
            default=len(order),
        ),
    )


def _free(tags: Mapping[str, int]) -> int:
    return next(tag for tag in range(1, len(tags) + 2) if tag not in tags.values())


def _portal(address: str) -> str:
    """Return the portal of an address; unchanged if it is none, and the rules of the map refuse it."""
    try:
        return names.parse_portal(f"[{address.strip('[]')}]" if ":" in address else address)
    except ValueError:
        return address


def _luns(
    document: CephDocument, nodes: Mapping[str, Node], choices: Choices, notes: Notes, name: str
) -> dict[str, Lun]:
    maps = maps_of_disks(document, choices)
    luns: dict[str, Lun] = {}
    for key, disk in document.disks.items():
        place = f"{name}: disks.{key}"
        if disk.backstore != USER_RBD:
            notes.lost(place, f"its backstore {disk.backstore} is not known: make a Lun of it by hand")
            continue
        if not maps.get(key):
            notes.lost(place, "no initiator sees it, so it is not in the map")
            continue
        lun_name = _lun_name(key, disk)
        luns[lun_name] = structs.replace(_lun(key, disk, nodes, choices), maps=maps[key])
        notes.carried(place, f"luns[{lun_name}]")
        _note_lun(disk, luns[lun_name], nodes, notes, place)
    return luns


def _lun_name(key: str, disk: CephDisk) -> str:
    return disk.backstore_object_name or key.replace("/", ".")


def _lun(key: str, disk: CephDisk, nodes: Mapping[str, Node], choices: Choices) -> Lun:
    pool, _, image = key.replace("/", ".", 1).partition(".")
    pool, image = disk.pool or pool, disk.image or image
    seconds = _number(disk.controls, *_OSD)
    backing: Backing = (
        Block(f"/dev/rbd/{pool}/{image}")
        if choices.krbd
        else User(f"rbd/{pool}/{image};osd_op_timeout={seconds}")
    )
    owner = _host(disk.owner, nodes)
    return Lun(
        backing,
        disk.wwn,
        choices.sizes.get(_lun_name(key, disk)),
        product=_PRODUCT if choices.krbd else "",
        attributes={} if choices.krbd else {"qfull_time_out": _number(disk.controls, *_QFULL)},
        preferred=owner if choices.krbd and len(nodes) > 1 else "",
        shared=Shared(Scope.OFF, Scope.OFF) if len(nodes) > 1 else None,
    )


def _number(controls: Mapping[str, Any], name: str, default: int) -> int:
    """Return the number that a control has, the default if it has none."""
    text = str(controls.get(name))
    return int(text) if is_number(text) else default


def _host(owner: str, nodes: Mapping[str, Node]) -> str:
    """Return the node of an owner; until all gateways have version 10, one of the two may be a short name."""
    short = [node for node in nodes if node.partition(".")[0] == owner.partition(".")[0]]
    return owner if owner in nodes else next(iter(short), "") if len(short) == 1 else ""


def _note_lun(disk: CephDisk, lun: Lun, nodes: Mapping[str, Node], notes: Notes, place: str) -> None:
    if isinstance(lun.backing, Block):
        notes.changed(place, f"the kernel's RBD client serves it: {lun.backing.path} must exist on each node")
        if lun.shared is not None:
            notes.lost(place, "COMPARE AND WRITE (ATS of VMFS), which tcmu-runner did in the cluster, is off")
    else:
        if disk.owner and len(nodes) > 1:
            notes.lost(
                place,
                f"its owner {disk.owner}: a user Lun can have no preferred node, so hosts use all paths, and "
                "the exclusive lock of the image moves with each write; --krbd keeps the owner",
            )
        if lun.size is None:
            notes.lost(place, "its size, which only Ceph knows: name it with --size")
    for control in sorted(disk.controls.keys() - ({_OSD[0], _QFULL[0]} if not lun.product else set())):
        notes.lost(place, f"its control {control}")


def _target(iqn: str, target: CephTarget, nodes: Mapping[str, Node], notes: Notes, name: str) -> Target:
    place = f"{name}: targets.{iqn}"
    notes.carried(place, f"targets[{iqn}]")
    if not target.acl_enabled:
        notes.lost(place, "it admits every initiator: name those that may log in with --initiator")
    if target.auth.incoming():
        notes.lost(f"{place}.auth", "its credentials for initiators without an ACL")
    groups = {}
    for host in _hosts_in_order(target):
        own = tuple(map(_portal, target.portals[host].addresses()))
        groups[host] = PortalGroup(portals=own if set(own) != set(nodes[host].portals) else ())
    return Target(
        groups,
        authentication=authentication_asked(target),
        attributes={"default_cmdsn_depth": _number(target.controls, *_DEPTH)},
        parameters=dict(_parameters(target.controls)),
    )


def _parameters(controls: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters that differ from LIO's defaults."""
    for key, (parameter, default) in _PARAMETERS.items():
        given = controls.get(key)
        value = str(default if given in _RESET else given)
        text = _YES_NO.get(value.lower(), value) if isinstance(default, bool) else value
        if text != PARAMETERS[parameter].default:
            yield parameter, text


def _note_settings(targets: Mapping[str, CephTarget], notes: Notes, name: str, *, krbd: bool) -> None:
    """Note the settings that every target of ceph-iscsi has, and no map."""
    for iqn, target in targets.items():
        known = {*_PARAMETERS, _DEPTH[0]}
        for control in sorted(target.controls.keys() - known):
            notes.lost(f"{name}: targets.{iqn}.controls.{control}", f"its control {control}")
    if targets:
        notes.changed(name, f"{_ACL_TIMES} (ceph-iscsi: 20, 5 and 5 s) are the kernel's: 3, 15 and 30 s")
        if not krbd:
            notes.changed(name, f"{_DEVICE} are the kernel's: 1024 and 128")
            notes.changed(name, "cmd_time_out (ceph-iscsi: 0, no limit) is the kernel's: 30 s")
