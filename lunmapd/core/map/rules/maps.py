"""Rules of the maps of Luns: their references."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, Map
from lunmapd.core.map.rules.common import no_such

_MAX_SCANNED = 255


def check_maps(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every map."""
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            yield from _map(lunmap, ("luns", name, "maps", index), entry)


def warn_of_lun_numbers(lunmap: Lunmap) -> Iterator[Problem]:
    """Warn of LUN numbers that some initiators do not scan."""
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            if _MAX_SCANNED < entry.lun <= names.MAX_LUN_NUMBER:
                yield Problem(
                    ("luns", name, "maps", index, "lun"),
                    f"{entry.lun} is above {_MAX_SCANNED}: some initiators do not scan it",
                )


def _map(lunmap: Lunmap, place: Place, entry: Map) -> Iterator[Problem]:
    if entry.target not in lunmap.targets:
        yield Problem((*place, "target"), no_such("target", entry.target, lunmap.targets))
    if bool(entry.initiator) == bool(entry.group):
        yield Problem(place, "give either an initiator or a group")
    elif entry.group and entry.group not in lunmap.groups:
        yield Problem((*place, "group"), no_such("group", entry.group, lunmap.groups))
    elif entry.initiator and entry.initiator not in lunmap.initiators:
        yield Problem((*place, "initiator"), no_such("initiator", entry.initiator, lunmap.initiators))
    if not 0 <= entry.lun <= names.MAX_LUN_NUMBER:
        yield Problem((*place, "lun"), f"{entry.lun} is not a LUN number: use 0 to {names.MAX_LUN_NUMBER}")
