"""The price of reading a whole map."""

from __future__ import annotations

import time
from statistics import median

from bench.figure import AtMost, Figure, Measured, times_bare
from bench.tree import ensemble, luns, terms, tree
from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.store.commit.commit import commit
from lunmapd.store.session.session import WINDOW, Session
from lunmapd.store.tree.read import read_tree

_LUNS = 10_000
_ROUNDS = 5


def _full_read() -> Measured:
    with ensemble(1) as servers, tree(servers) as session:
        commit(session, read_tree(session), luns(_LUNS), terms())
        rounds = [(_ours(session), _bare(session)) for _ in range(_ROUNDS)]
    ours, plain = (median(times) for times in zip(*rounds, strict=True))
    return times_bare(ours, plain, "bare: the same znodes as bytes, as many gets under way at a time")


def _ours(session: Session) -> float:
    """Measure up to the typed map, its digest checked."""
    began = time.monotonic()
    found = read_tree(session)
    took = time.monotonic() - began
    assert len(found.lunmap.luns) == _LUNS
    assert not found.has_edits
    return took


def _bare(session: Session) -> float:
    client = session.link.current
    began = time.monotonic()
    paths = [
        session.path(f"{section}/{name}")
        for section in SECTIONS
        for name in client.get_children(session.path(section))
    ]
    for start in range(0, len(paths), WINDOW):
        for answer in [client.get_async(path) for path in paths[start : start + WINDOW]]:
            answer.get()
    return time.monotonic() - began


FIGURES = (Figure("full_read_10000_vs_bare", "a full read of a map of 10,000 Luns", AtMost(0.3), _full_read),)
