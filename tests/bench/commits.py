"""How many commits there can be in a second."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.figure import AtLeast, AtMost, Figure, Measured, times_bare
from bench.tree import bare, ensemble, grown, lun_name, luns, terms, tree
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.history.map_change import compare_objects
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.commit.kept_rules import KeptRules
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh

if TYPE_CHECKING:
    from kazoo.client import KazooClient

    from lunmapd.store.tree.snapshot import Snapshot

_SECONDS = 1.5
_ROUNDS = 7
_PAIRS = 200
_WRITERS = 20


@dataclass
class _Writer:
    """A program that changes a Lun of its own again and again."""

    session: Session
    lun: str
    known: Snapshot
    kept: KeptRules
    made: int = 0

    def write_until(self, end: float) -> None:
        """Make one commit after the other until this monotonic time."""
        while time.monotonic() < end:
            self.known = _one(self.session, self.known, self.lun, self.kept)
            self.made += 1


def _alone() -> Measured:
    with ensemble() as servers, tree(servers) as session, bare(servers) as client:
        commit(session, read_tree(session), luns(100), terms())
        for path in ("/head", "/document", "/records"):
            client.create(path, b"")
        writer = _writer(session, 0)
        rounds = [(_rate([writer]), _multis(client)) for _ in range(_ROUNDS)]
    ours, plain = (median(rates) for rates in zip(*rounds, strict=True))
    return Measured(plain / ours, f"{ours:.0f}/s", f"{plain:.0f}/s", "bare: multi() of the same three znodes")


def _together() -> Measured:
    with ensemble() as servers, tree(servers) as session, ExitStack() as stack:
        commit(session, read_tree(session), luns(100), terms())
        sessions = [Session(servers.hosts, session.root, deadline=60.0) for _ in range(_WRITERS)]
        writers = [_writer(stack.enter_context(each), index) for index, each in enumerate(sessions)]
        lone = _writer(session, _WRITERS)
        rounds = [(_rate([lone]), _rate(writers)) for _ in range(_ROUNDS)]
        assert read_tree(session).revision == 1 + sum(each.made for each in (lone, *writers)), (
            "a commit is missing"
        )
    one, many = (median(rates) for rates in zip(*rounds, strict=True))
    return Measured(many / one, f"{many:.0f}/s", f"{one:.0f}/s", "beside: the commits of one writer")


def _writer(session: Session, number: int) -> _Writer:
    known, kept = read_tree(session), KeptRules()
    kept.check_map(compare_objects(EMPTY_MAP, known.lunmap))
    return _Writer(session, lun_name(number), known, kept)


def _rate(writers: list[_Writer]) -> float:
    """Let the writers commit for some seconds; returns the commits in a second.

    They know the map at the beginning, as they would without the rounds of the others.
    """
    for writer in writers:
        writer.known = refresh(writer.session, writer.known)
    before, began = sum(writer.made for writer in writers), time.monotonic()
    threads = [threading.Thread(target=writer.write_until, args=(began + _SECONDS,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (sum(writer.made for writer in writers) - before) / (time.monotonic() - began)


def _large_and_small() -> Measured:
    with ensemble(1) as servers, tree(servers) as large, tree(servers) as small:
        for session, count in ((large, 10_000), (small, 100)):
            commit(session, read_tree(session), luns(count), terms())
        kept = {session: KeptRules() for session in (large, small)}
        known = {session: read_tree(session) for session in (large, small)}
        for session in (large, small) * 3:
            known[session] = _timed(session, known[session], kept[session])[0]
        times: dict[Session, list[float]] = {large: [], small: []}
        for session in (large, small) * _PAIRS:
            known[session], seconds = _timed(session, known[session], kept[session])
            times[session].append(seconds)
    return times_bare(
        median(times[large]), median(times[small]), "beside: 100 Luns; from the second commit on"
    )


def _timed(session: Session, known: Snapshot, kept: KeptRules) -> tuple[Snapshot, float]:
    """Make one more commit; returns the map after it, and the seconds that it took."""
    began = time.monotonic()
    after = _one(session, known, lun_name(7), kept)
    return after, time.monotonic() - began


def _one(session: Session, known: Snapshot, name: str, kept: KeptRules) -> Snapshot:
    """Make one more commit; returns the map after it."""
    # As the Client does: from the second commit on only the rules that the change concerns.
    made = edit(session, known, partial(grown, name=name), replace(terms(), check=commit_rules(kept=kept)))
    assert made is not None
    assert made.after is not None
    return made.after


def _multis(client: KazooClient) -> float:
    """Set head and a document, and create a record, again and again; returns how often in a second."""
    count, began = 0, time.monotonic()
    while time.monotonic() - began < _SECONDS:
        transaction = client.transaction()
        transaction.set_data("/head", b"x" * 100)
        transaction.set_data("/document", b"x" * 250)
        transaction.create(f"/records/{uuid.uuid4()}", b"x" * 800)
        transaction.commit()
        count += 1
    return count / (time.monotonic() - began)


FIGURES = (
    Figure(
        "commits_1_writer_vs_bare",
        "the time of a commit by one writer, map of 100 Luns",
        AtMost(3.0),
        _alone,
    ),
    Figure(
        "commit_10000_vs_100",
        "a further commit of one program in a map of 10,000 Luns, beside one of 100",
        AtMost(1.5),
        _large_and_small,
    ),
    Figure("commits_20_writers_vs_1", "commits by 20 writers at the same time", AtLeast(1.0), _together),
)
