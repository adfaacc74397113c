"""What one look at a node's kernel found."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.node import lio_objects

LOGGED_IN = "LOGGED_IN"
"""The kernel's word for a session that can do I/O (drivers/target/iscsi/iscsi_target_configfs.c, lio_target_nacl_info_show)."""


class IscsiSession(Struct, frozen=True, gc=False):
    """An initiator that is logged in; `state` is the kernel's word, `address` where it came from."""

    iqn: str
    tag: int
    initiator: str
    state: str
    address: str = ""


class Login(Struct, frozen=True, order=True):
    """An initiator that is logged in to a target at the node."""

    target: str
    initiator: str


class Observed(Struct, frozen=True):
    """Our objects, the target names that other tools made, the kernel's features, and who is logged in to ours.

    `missing` names the storage objects whose device or file is not there any more; the kernel keeps what it has opened.
    `sizes` are those of the devices of storage objects, in bytes, by the names of these.
    """

    objects: Mapping[lio_objects.Key, lio_objects.Object] = {}
    foreign: AbstractSet[str] = frozenset()
    features: AbstractSet[str] = frozenset()
    sessions: tuple[IscsiSession, ...] = ()
    missing: AbstractSet[str] = frozenset()
    sizes: Mapping[str, int] = {}
