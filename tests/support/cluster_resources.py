"""Resources of Pacemaker, and what a conversion of them reports."""

from lunmapd.core.base.lunmap import Failback, FloatingGroup
from lunmapd.core.conversion.cib import read_cib
from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import Conversion, RemarkKind
from lunmapd.core.conversion.crm_text import read_crm, read_pcs
from support.foreign_files import CIB, CRM, IQN, PCS

SOURCES = {"crm": read_crm(CRM, "crm"), "pcs": read_pcs(PCS, "pcs"), "cib": read_cib(CIB, "cib")}
"""One cluster as each tool prints it."""

MOVING = FloatingGroup(1, ("10.0.0.100:3260",), ("n1", "n2"), failback=Failback.MANUAL)
"""The group of its address, which is in CRM, PCS and CIB."""


def lost(conversion: Conversion) -> list[str]:
    """Return the texts of what is lost."""
    return [each.text for each in conversion.remarks if each.kind is RemarkKind.LOST]


def resource(name: str, agent: str, **parameters: str) -> ClusterResource:
    """Return a resource."""
    return ClusterResource(name, agent, parameters, name)


def cluster(*units: ClusterResource, **target: str) -> ClusterResources:
    """Return a target with logical units."""
    return ClusterResources((resource("t1", "iSCSITarget", iqn=IQN, **target), *units), ("n1",))


def unit(**parameters: str) -> ClusterResource:
    """Return a logical unit of the target."""
    given = {"target_iqn": IQN, "lun": "1", "path": "/dev/drbd0"} | parameters
    return resource("lun1", "iSCSILogicalUnit", **given)


def carried(conversion: Conversion, group: str) -> bool:
    """Return whether an address is carried as a floating group of the target."""
    text = f"targets[{IQN}].floating[{group}]"
    return any(each.kind is RemarkKind.CARRIED and each.text == text for each in conversion.remarks)


def address(name: str, ip: str, **parameters: str) -> ClusterResource:
    """Return an address that moves."""
    return resource(name, "IPaddr2", ip=ip, **parameters)
