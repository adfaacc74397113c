"""The map that is measured: LUNs on sparse files, mapped to initiators through one target of one node."""

import os
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target

NODE = "n1"
TARGET = "iqn.2026-01.org.example:bench"
TAG = 1
SIZE = 1 << 20
_FILES = Path("/srv/bench-files")


class Shape(Struct, frozen=True):
    """How large it is."""

    luns: int
    initiators: int


def name(number: int) -> str:
    """Return the name of a Lun."""
    return f"lun-{number}"


def path(number: int) -> str:
    """Return the path of its file."""
    return f"{_FILES}/{number}"


def serial(number: int) -> str:
    """Return its serial, which fits in the 25 digits that LIO uses for the NAA identifier."""
    return f"{number:025x}0000000"


def host(number: int) -> str:
    """Return the name of an initiator."""
    return f"iqn.2026-01.org.example:host-{number}"


def lunmap(shape: Shape) -> Lunmap:
    """Return the map."""
    return Lunmap(
        {name(number): lun(number, shape.initiators) for number in range(shape.luns)},
        {TARGET: Target({NODE: PortalGroup(TAG)})},
        {host(number): Initiator() for number in range(shape.initiators)},
        nodes={NODE: Node(TAG, ("127.0.0.1:3260",))},
    )


def lun(number: int, initiators: int) -> Lun:
    """Return one Lun, mapped under the same number to all."""
    maps = tuple(Map(TARGET, number, host(initiator)) for initiator in range(initiators))
    return Lun(FileIO(path(number)), serial(number), SIZE, maps=maps)


def make_files(shape: Shape) -> None:
    """Make the sparse files that are not there yet."""
    _FILES.mkdir(parents=True, exist_ok=True)
    for number in range(shape.luns):
        with Path(path(number)).open("ab") as file:
            os.ftruncate(file.fileno(), SIZE)
