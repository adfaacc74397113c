"""A conversion: the map of a configuration of another tool, and a remark for each part of the source."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.password import Secret

DEFAULT_NODE = "node1"
"""The name of a node that the source does not name."""


class NotConvertibleError(LunmapdError):
    """A file has not the form that its format requires."""

    exit_code = Exit.INVALID


class RemarkKind(StrEnum):
    """The result for a part of the source: the map has it, has it in another way, or can't express it."""

    CARRIED = "carried"
    CHANGED = "changed"
    LOST = "lost"


class Remark(Struct, frozen=True):
    """The result for one part of the source.

    `place` is where the part is: the file with a path inside it, or with a line. `text` has no password.
    """

    kind: RemarkKind
    place: str
    text: str


class Conversion(Struct, frozen=True):
    """A map, the remarks, and the passwords by path and field of `change_credentials`.

    The map has no passwords: they are sealed for one cluster (core/secrets/sealing.py).
    """

    lunmap: Lunmap
    remarks: tuple[Remark, ...] = ()
    passwords: Mapping[tuple[str, str], Secret] = {}


class SourceText(Struct, frozen=True):
    """A file: its name, its text, and the node that it describes, "" if that is not known."""

    name: str
    text: str
    node: str = ""

    def __repr__(self) -> str:
        return f"SourceText({self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]


class Choices(Struct, frozen=True):
    """The facts that a source lacks.

    `portals` maps nodes to their own addresses; `nodes` are those between which a cluster moves addresses.
    `initiators` are mapped where the source admits all. `sizes`
    maps names of Luns to bytes. `krbd` serves RBD images as block devices instead of by tcmu-runner.
    """

    portals: Mapping[str, tuple[str, ...]] = {}
    initiators: tuple[str, ...] = ()
    sizes: Mapping[str, int] = {}
    krbd: bool = False
    nodes: tuple[str, ...] = ()


class Notes:
    """The remarks and passwords of a conversion that is being made."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self.passwords: dict[tuple[str, str], Secret] = {}

    def carried(self, place: str, text: str) -> None:
        """Note a part that the map has."""
        self.remarks.append(Remark(RemarkKind.CARRIED, place, text))

    def changed(self, place: str, text: str) -> None:
        """Note a part that the map has in another way."""
        self.remarks.append(Remark(RemarkKind.CHANGED, place, text))

    def lost(self, place: str, text: str) -> None:
        """Note a part that the map can't express."""
        self.remarks.append(Remark(RemarkKind.LOST, place, text))

    def conversion(self, lunmap: Lunmap) -> Conversion:
        """Return the conversion to this map."""
        return Conversion(lunmap, tuple(dict.fromkeys(self.remarks)), self.passwords)
