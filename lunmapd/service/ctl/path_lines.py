"""What is said of the paths of Luns, for people."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lunmapd.core.fleet.lun_paths import Host, LostLogin, LunPaths, NodePath, Trouble
from lunmapd.core.fleet.path_state import DEAD
from lunmapd.service.ctl.tables import table

_MOST_NAMED = 3
_MOST_LINES = 10
_SEE = "see 'lunmapctl status --luns'"


def paths_table(found: Iterable[LunPaths]) -> str:
    """Print the Luns, one a line, with the state of each path, and who is logged in."""
    rows = [(each.lun, _count(each), _nodes(each.paths) or "-", _initiators(each)) for each in found]
    return table(("LUN", "PATHS", "NODES", "INITIATORS"), rows)


def _count(found: LunPaths) -> str:
    return f"{found.usable}/{found.intended}" if found.paths else "-"


def _nodes(paths: Iterable[NodePath]) -> str:
    return ", ".join(f"{path.node} {'DEAD' if path.state == DEAD else path.state}" for path in paths)


def _initiators(found: LunPaths) -> str:
    if not found.initiators:
        return "-"
    names = {host.initiator for host in found.initiators}
    inside = {host.initiator for host in found.initiators if host.at}
    lost = [_absent(host) for host in found.initiators if host.at and host.missing]
    unknown = sorted({node for host in found.initiators for node in host.unknown})
    more = (*_some(lost), *((f"not known of {', '.join(unknown)}",) if unknown else ()))
    return "; ".join((f"{len(inside)}/{len(names)} logged in", *more))


def _absent(host: Host) -> str:
    return f"{host.initiator} not at {', '.join(host.missing)}"


def _some(texts: Sequence[str]) -> tuple[str, ...]:
    more = len(texts) - _MOST_NAMED
    return (*texts[:_MOST_NAMED], *((f"{more} more",) if more > 0 else ()))


def trouble_lines(troubles: Sequence[Trouble]) -> Iterator[str]:
    """Say which Luns lack paths and why, in a few lines whatever the number of Luns."""
    for trouble in troubles[:_MOST_LINES]:
        yield f"{_named([f'luns/{lun}' for lun in trouble.luns])}: {_lack(trouble)}"
    if more := sum(len(trouble.luns) for trouble in troubles[_MOST_LINES:]):
        yield f"{more} more Luns lack paths; {_SEE}"


def _named(names: Sequence[str]) -> str:
    *first, last = _some(names)
    return f"{', '.join(first)} and {last}" if first else last


def _lack(trouble: Trouble) -> str:
    count = "no path" if trouble.is_cut_off else f"{trouble.usable} of {trouble.intended} paths"
    return f"{count}: {_nodes(trouble.paths) or 'no node serves its targets'}"


def lost_lines(lost: Iterable[LostLogin]) -> Iterator[str]:
    """Say which initiators could use more paths than they do, those that lack the same together."""
    alike = defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]](list)
    for each in lost:
        alike[each.target, each.at, each.missing].append(each.initiator)
    lines = [
        f"{_named(names)}: logged in to {target} at {', '.join(at)}, not at {', '.join(missing)}"
        for (target, at, missing), names in alike.items()
    ]
    yield from lines[:_MOST_LINES]
    if (more := len(lines) - _MOST_LINES) > 0:
        yield f"{more} more such; {_SEE}"
