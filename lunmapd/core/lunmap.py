"""The Lunmap as admins mean it: Luns with their maps, targets, initiators and nodes.

Every object is one document and one znode. An object does not hold its own name: the name is the key under which
it stands, so the two can't disagree. A Lun holds its maps; the views by target or by initiator are computed.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal

from msgspec import Struct


class Access(StrEnum):
    """What an initiator may do with a mapped LUN."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"


class Block(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="block"
):
    """A block device, exported through LIO's iblock; `path` is the device node on each storage node."""

    path: str


class FileIO(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="fileio"
):
    """A file, exported through LIO's fileio, written through; it must exist on each storage node."""

    path: str


class Map(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One initiator sees the Lun as number `lun` (0-16383) through `target`."""

    target: str
    lun: int
    initiator: str
    access: Access = Access.READ_WRITE


class Lun(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A volume and its masking. `size` is in bytes; None, for block devices only, takes what the device has.

    `serial` is the identity of the volume on every node and never changes. A file may leave it out: the
    commit then keeps the serial that the Lun has, or gives it a new one.
    """

    backing: Block | FileIO
    serial: str = ""
    size: int | None = None
    maps: tuple[Map, ...] = ()


class PortalGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A target's presence on one node. `port_id` (1-65535) is the relative target port id, unique in the cluster.

    A file may leave it out: the commit then keeps the one that there is, or gives the lowest free one.
    """

    port_id: int = 0


class Target(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An iSCSI target: each node in `nodes` serves it through its portals, in a TPG of its own."""

    nodes: Mapping[str, PortalGroup]
    alias: str = ""


class Initiator(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host that may log in."""

    alias: str = ""


class Node(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A storage node. `tpg_tag` (1-65535) is unique in the cluster; portals are `address:port`."""

    tpg_tag: int
    portals: tuple[str, ...] = ()


Document = Lun | Target | Initiator | Node
Section = Literal["luns", "targets", "initiators", "nodes"]
SECTIONS: Mapping[Section, type[Document]] = {
    "luns": Lun,
    "targets": Target,
    "initiators": Initiator,
    "nodes": Node,
}


class Lunmap(Struct, frozen=True):
    """The whole map, each section by name."""

    luns: Mapping[str, Lun] = {}
    targets: Mapping[str, Target] = {}
    initiators: Mapping[str, Initiator] = {}
    nodes: Mapping[str, Node] = {}

    def section(self, section: Section) -> Mapping[str, Document]:
        """Return one section by its name."""
        found: Mapping[str, Document] = getattr(self, section)
        return found

    def documents(self) -> Iterator[tuple[Section, str, Document]]:
        """Yield every object with its section and name."""
        for section in SECTIONS:
            for name, document in self.section(section).items():
                yield section, name, document
