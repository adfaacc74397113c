"""Creating, changing and removing portals, and the reason why LIO can't listen on one.

The kernel answers EINVAL to the mkdir of a portal for every cause (target_fabric_make_np in
drivers/target/target_core_fabric_configfs.c), so the cause is looked for afterwards.
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lunmapd.core.base.names import excludes
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import KernelIndex, portal_path, tpg_path
from lunmapd.lio.base.parse import parse_portal_directory
from lunmapd.lio.base.refusal import KernelRefusedError

_RDMA_DEVICES = Path("/sys/class/infiniband")
_IP_FREEBIND = 15  # include/uapi/linux/in.h; Python's socket module does not have it


def create_portal(item: lio_objects.Portal) -> None:
    """Let the TPG listen on the portal.

    Raises OSError, and KernelRefusedError if the port is in use, or iSER is asked for without a device.
    """
    _await_tpg(item)
    directory = f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/np/{item.address}"
    try:
        os.mkdir(directory)  # noqa: PTH102
    except OSError as error:
        if error.errno == errno.EINVAL and _is_in_use(item.address):
            raise KernelRefusedError(Reason.PORTAL_IN_USE, _in_use(item.address)) from None
        raise
    if item.iser:
        _set_iser(item, directory)


def update_portal(item: lio_objects.Portal, index: KernelIndex) -> None:
    """Let the portal listen for RDMA too, or no longer. Raises as `create_portal` does."""
    _set_iser(item, f"{rts.ROOT}/{portal_path(item, index)}")


def delete_portal(item: lio_objects.Portal, index: KernelIndex) -> None:
    """Let the TPG no longer listen on the portal. Raises OSError."""
    _await_tpg(item)
    os.rmdir(f"{rts.ROOT}/{portal_path(item, index)}")  # noqa: PTH106


def _await_tpg(item: lio_objects.Portal) -> None:
    """Wait until the TPG has closed its sessions, in a call that a kill ends.

    The mkdir of a portal would wait for the same lock while it holds the lock of all targets in configfs.
    """
    files.read_file(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/param/TargetAlias")


def _set_iser(item: lio_objects.Portal, directory: str) -> None:
    try:
        files.write_file(f"{directory}/iser", str(int(item.iser)))
    except OSError:
        if not item.iser or (_RDMA_DEVICES.is_dir() and any(_RDMA_DEVICES.iterdir())):
            raise
        raise KernelRefusedError(
            Reason.PORTAL_REFUSED,
            f"this node has no RDMA device, so {item.address} takes no iSER connections: add the device and "
            "its driver, or move the address from 'iser_portals' to 'portals'",
        ) from None


def _is_in_use(address: str) -> bool:
    """Return whether another socket has the port, by the same calls as LIO makes (iscsit_setup_np)."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        try:
            trial.bind((host.strip("[]"), int(port)))
            trial.listen(1)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _in_use(address: str) -> str:
    port = address.rpartition(":")[2]
    owner = next(_owners(address), f"another program: 'ss -lntp sport = :{port}' shows which")
    return f"port {port} of {_shown(address)} is in use by {owner}; end that, or give the portal another port"


def _shown(address: str) -> str:
    ip = ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    return f"every address ({ip})" if ip.is_unspecified else str(ip)


def _owners(address: str) -> Iterator[str]:
    """Yield the portals of LIO that exclude this one: their sockets are the kernel's, and no program's."""
    for path in sorted(rts.ROOT.glob("iscsi/*/tpgt_*/np/*")):
        other = parse_portal_directory(path.name)
        if other != address and excludes(address, other):
            tpg = path.parent.parent
            yield f"the portal {path.name} of {tpg.parent.name}, TPG {tpg.name.removeprefix('tpgt_')}"
