"""A map as a commit would fill it in. Pure."""

from collections.abc import Callable

from msgspec import structs

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.map.fill_in import with_free_port_ids


def complete(lunmap: Lunmap, sealed: Callable[[str, str], str]) -> Lunmap:
    """Return the map with a serial and a port id where it has none.

    `sealed` returns the sealed password for the path and field of credentials; it replaces any of the map.
    """
    full = change_credentials(
        lunmap, lambda path, field, chap: structs.replace(chap, password=sealed(path, field))
    )
    luns = {
        name: structs.replace(lun, serial=lun.serial or f"{number:025x}")
        for number, (name, lun) in enumerate(full.luns.items())
    }
    return structs.replace(full, targets=with_free_port_ids(full.targets), luns=luns)
