"""Observing the commands that initiators send, as the kernel counts them for each mapped LUN."""

from collections.abc import Iterable
from pathlib import Path

from lunmapd.core.node.observed import AclLuns, HostCommands
from lunmapd.lio.base import files
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.parse import has_commands_in_flight

_COUNT = "statistics/scsi_auth_intr/num_cmds"


def count_commands(root: Path, acls: Iterable[AclLuns]) -> tuple[HostCommands, ...]:
    """Return the commands of these initiators to these LUNs; a LUN that is gone is left out.

    Raises OSError. A kernel without the counters has no LUN.
    """
    return tuple(_count(root, each) for each in acls)


def _count(root: Path, acl: AclLuns) -> HostCommands:
    path = f"{root}/{tpg_path(acl.iqn, acl.tag)}/acls/{acl.initiator}"
    texts = ((number, files.read_file(f"{path}/lun_{number}/{_COUNT}")) for number in acl.luns)
    counts = tuple((number, int(text)) for number, text in texts if text is not None and text.isdecimal())
    in_flight = has_commands_in_flight(files.read_file(f"{path}/info") or "")
    return HostCommands(acl.iqn, acl.tag, acl.initiator, counts, in_flight)
