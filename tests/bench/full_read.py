"""The price of reading a whole map."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from bench.figure import AtMost, Figure, Measured, times_bare
from bench.tree import ensemble, luns, seconds_of_gets, terms, tree
from lunmapd.store.commit.commit import commit
from lunmapd.store.tree.read import read_tree

if TYPE_CHECKING:
    from lunmapd.store.session.session import Session

_LUNS = 10_000
_ROUNDS = 5


def _full_read() -> Measured:
    with ensemble(1) as servers, tree(servers) as session:
        commit(session, read_tree(session), luns(_LUNS), terms())
        rounds = [(_ours(session), seconds_of_gets(session)) for _ in range(_ROUNDS)]
    ours, plain = (median(times) for times in zip(*rounds, strict=True))
    return times_bare(ours, plain, "bare: the same znodes as bytes, by 256 gets at a time")


def _ours(session: Session) -> float:
    """Measure up to the typed map, its digest checked."""
    began = time.monotonic()
    found = read_tree(session)
    took = time.monotonic() - began
    assert len(found.lunmap.luns) == _LUNS
    assert not found.has_edits
    return took


FIGURES = (Figure("full_read_10000_vs_bare", "a full read of a map of 10,000 Luns", AtMost(0.3), _full_read),)
