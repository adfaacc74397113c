"""What the paragraphs for hosts share: who is logged in where, by the map, and the names of hosts."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lunmapd.core.base.lunmap import Lunmap, initiators_of, is_drained, nodes_of
from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.map.short_names import ShortNames
from lunmapd.core.node.portals import portals_by_tag

Paragraph = tuple[str, ...]
Pair = tuple[str, str]
"""A target, and an initiator that has a LUN there."""

MAX_LINES = 20
MAX_PARAGRAPHS = 5
WWID = "WWID..."
WWIDS = "with the WWIDs that 'lunmapctl explain HOST' shows"
"""The word that stands for WWIDs in commands, and where they are."""

_WIDTH = 80
_MAX_HOSTS = 5


def pairs_of(lunmap: Lunmap) -> set[Pair]:
    """Return each target with each initiator that has a LUN there."""
    return {
        (entry.target, host)
        for lun in lunmap.luns.values()
        for entry in lun.maps
        for host in initiators_of(lunmap, entry)
    }


def by_target(pairs: Iterable[Pair]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each target with its initiators, in the order of their names."""
    hosts = defaultdict[str, list[str]](list)
    for target, host in sorted(pairs):
        hosts[target].append(host)
    yield from hosts.items()


def target_portals(lunmap: Lunmap, iqn: str, *, drained: bool = True) -> list[str]:
    """Return the portals of a target in order, also those of drained nodes unless `drained` is False."""
    target = lunmap.targets.get(iqn)
    if target is None:
        return []
    nodes = (node for node in nodes_of(target) if drained or not is_drained(lunmap, node))
    tpgs = (tpg for node in nodes for tpg in portals_by_tag(lunmap, target, node))
    return sorted({portal for _, portals in tpgs for portal in portals})


def hosts_text(hosts: Iterable[str], names: ShortNames) -> str:
    """Return the first names of some hosts, and the number of the others."""
    return first_of([names.initiator(host) for host in sorted(hosts)], _MAX_HOSTS)


def bounded(paragraphs: Iterable[Paragraph], others: str, kind: str = "target") -> Iterator[Paragraph]:
    """Yield the first paragraphs, of which each is about one of a kind, and the number of the others."""
    found = list(paragraphs)
    yield from found[:MAX_PARAGRAPHS]
    if (more := len(found) - MAX_PARAGRAPHS) > 0:
        yield tuple(wrapped(f"{count_of(more, f'more {kind}')} {others}"))


def wrapped(text: str) -> list[str]:
    """Return a sentence in as many lines as it needs."""
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
