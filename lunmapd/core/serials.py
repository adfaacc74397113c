"""Serials for Luns of a file that leaves them out: what the Lun has, or a new one."""

from collections.abc import Callable

from msgspec import structs

from lunmapd.core.lunmap import Lunmap


def with_serials(after: Lunmap, before: Lunmap, new: Callable[[], str]) -> Lunmap:
    """Return `after` with every serial filled in. `new` gives a fresh one, such as a random UUID in hex."""
    luns = {
        name: lun
        if lun.serial
        else structs.replace(lun, serial=before.luns[name].serial if name in before.luns else new())
        for name, lun in after.luns.items()
    }
    return structs.replace(after, luns=luns)
