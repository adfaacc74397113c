"""Rules of nodes: tag, portals, labels, rewritten paths, and CHAP for discovery."""

import re
from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.backings import RamDisk, User
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, Node
from lunmapd.core.map.rules.chap import check_chap
from lunmapd.core.map.rules.common import check_text
from lunmapd.core.placement.backing_paths import has_prefix

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")


def check_nodes(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every node."""
    for name, node in lunmap.nodes.items():
        place: Place = ("nodes", name)
        yield from check_text(place, names.check_name, name)
        if not 0 < node.tpg_tag <= names.MAX_TAG:
            yield Problem((*place, "tpg_tag"), f"{node.tpg_tag} is not a TPG tag: use 1 to {names.MAX_TAG}")
        yield from _portals(place, node)
        yield from _labels((*place, "labels"), node)
        yield from _devices((*place, "devices"), node)
        if node.discovery is not None:
            yield from check_chap((*place, "discovery", "chap"), node.discovery.chap)
            yield from check_chap((*place, "discovery", "mutual_chap"), node.discovery.mutual_chap)


def _portals(place: Place, node: Node) -> Iterator[Problem]:
    seen: set[str] = set()
    for field, portals in (("portals", node.portals), ("iser_portals", node.iser_portals)):
        for index, portal in enumerate(portals):
            yield from check_text((*place, field, index), _check_portal, portal)
            if portal in seen:
                yield Problem((*place, field, index), f"portal {portal} is given twice")
            seen.add(portal)


def _check_portal(text: str) -> str | None:
    try:
        normal = names.parse_portal(text)
    except ValueError as error:
        return str(error)
    return None if text == normal else f"{text!r} must be spelled {normal!r}"


def _labels(place: Place, node: Node) -> Iterator[Problem]:
    for key, value in node.labels.items():
        if not _LABEL.fullmatch(key) or (value and not _LABEL.fullmatch(value)):
            yield Problem(
                (*place, key),
                f"{key}={value} is not a label: use 1 to 63 letters, digits, '.', '_', '/' or '-' on both "
                "sides",
            )


def _devices(place: Place, node: Node) -> Iterator[Problem]:
    given: dict[str, str] = {}
    for prefix, replacement in node.devices.items():
        yield from check_text((*place, prefix), names.check_path_prefix, prefix)
        yield from check_text((*place, prefix), names.check_path_prefix, replacement)
        same = given.setdefault(prefix.rstrip("/"), prefix)
        if same != prefix:
            yield Problem((*place, prefix), f"is the same as {same!r}: omit one of the two")


def warn_of_devices(lunmap: Lunmap) -> Iterator[Problem]:
    """Warn of prefixes that match letters of paths, but no whole component of any."""
    for name, node in lunmap.nodes.items():
        for prefix in node.devices:
            fitting = [(lun, path) for lun, path in _rewritable(lunmap, name) if path.startswith(prefix)]
            if fitting and not any(has_prefix(path, prefix) for _, path in fitting):
                lun, path = fitting[0]
                yield Problem(
                    ("nodes", name, "devices", prefix),
                    f"matches whole parts of a path only, and so no path of this map: {path} of luns[{lun}] "
                    "stays as it is; give the whole path or a directory, or use the Lun's 'overrides'",
                )


def _rewritable(lunmap: Lunmap, node: str) -> Iterator[tuple[str, str]]:
    """Yield Lun and path of each path that the `devices` of `node` can rewrite."""
    for name, lun in lunmap.luns.items():
        if not isinstance(lun.backing, RamDisk | User) and node not in lun.backing.overrides:
            yield name, lun.backing.path
