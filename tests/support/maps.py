"""Maps of Luns without meaning, and random changes of them."""

import random

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap

GIB = 1 << 30


def lun(number: int, size: int = GIB) -> Lun:
    """Make a Lun whose path and serial follow from its number."""
    return Lun(Block(f"/dev/vg/l{number}"), serial=f"{number:025x}", size=size)


def luns(*numbers: int) -> Lunmap:
    """Make a map of Luns l<number>."""
    return Lunmap(luns={f"l{number}": lun(number) for number in numbers})


def with_lun(lunmap: Lunmap, name: str, value: Lun | None) -> Lunmap:
    """Return the map with one Lun set, or removed."""
    others = {key: other for key, other in lunmap.luns.items() if key != name}
    return replace(lunmap, luns=others if value is None else others | {name: value})


def mutate(lunmap: Lunmap, dice: random.Random) -> Lunmap:
    """Change, add or remove up to three objects."""
    for _ in range(dice.randint(1, 3)):
        number = dice.randint(0, 20)
        value = None if dice.random() < 0.3 else lun(number, dice.randint(1, 9) * GIB)
        lunmap = with_lun(lunmap, f"l{number}", value)
    if dice.random() < 0.3:
        lunmap = replace(
            lunmap, initiators={"iqn.2025-01.org.example:h": Initiator(alias=str(dice.random()))}
        )
    return lunmap
