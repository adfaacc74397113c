"""Small maps as they are stored in the tree."""

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.store.tree.snapshot import Meta, Raw

META = Meta(1, "c")


def objects(lunmap: Lunmap) -> dict[str, Raw]:
    """Return a map as it is stored in the tree."""
    return {f"{section}/{name}": Raw(encode(document), 0) for section, name, document in lunmap.documents()}


def lun(number: int, size: int = 512) -> Lun:
    """Make a Lun."""
    return Lun(Block(f"/dev/l{number}"), serial=f"{number:032x}", size=size)


def luns(*numbers: int) -> Lunmap:
    """Make a map of Luns."""
    return Lunmap(luns={f"l{number}": lun(number) for number in numbers})
