"""How many commits there can be in a second."""

from __future__ import annotations

import threading
import time
import uuid
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.figure import AtLeast, AtMost, Figure, Measured, times_bare
from bench.tree import bare, ensemble, grown, lun_name, luns, terms, tree
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.commit.kept_rules import KeptRules
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree, refresh

if TYPE_CHECKING:
    from kazoo.client import KazooClient

    from lunmapd.store.tree.snapshot import Snapshot

_COMMITS = 200
_WRITERS = 20


def _alone() -> Measured:
    with ensemble() as servers, tree(servers) as session, bare(servers) as client:
        commit(session, read_tree(session), luns(100), terms())
        ours, plain = _write([session]), _multis(client)
    return Measured(plain / ours, f"{ours:.0f}/s", f"{plain:.0f}/s", "bare: multi() of the same three znodes")


def _together() -> Measured:
    with ensemble() as servers, tree(servers) as session:
        commit(session, read_tree(session), luns(100), terms())
        one = _write([session])
        sessions = [Session(servers.hosts, session.root, deadline=60.0) for _ in range(_WRITERS)]
        for each in sessions:
            each.start()
        many = _write(sessions)
        for each in sessions:
            each.close()
    return Measured(many / one, f"{many:.0f}/s", f"{one:.0f}/s", "beside: the commits of one writer")


def _write(sessions: list[Session]) -> float:
    """Let each writer change a Lun of its own; returns the commits in a second."""
    each = _COMMITS // len(sessions)
    threads = [
        threading.Thread(target=_writer, args=(session, lun_name(index), each))
        for index, session in enumerate(sessions)
    ]
    before = read_tree(sessions[0]).revision
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert read_tree(sessions[0]).revision == before + each * len(sessions), "a commit is missing"
    return each * len(sessions) / took


def _writer(session: Session, name: str, count: int) -> None:
    known, kept = read_tree(session), KeptRules()
    for _ in range(count):
        # As the Client does: from the second commit on only the rules that the change concerns.
        edit(session, known, partial(grown, name=name), replace(terms(), check=commit_rules(kept=kept)))
        known = refresh(session, known)


def _large_and_small() -> Measured:
    with ensemble(1) as servers, tree(servers) as large, tree(servers) as small:
        for session, count in ((large, 10_000), (small, 100)):
            commit(session, read_tree(session), luns(count), terms())
        kept = {session: KeptRules() for session in (large, small)}
        known = {session: read_tree(session) for session in (large, small)}
        for session in (large, small) * 3:
            known[session] = _one(session, known[session], kept[session])[0]
        times: dict[Session, list[float]] = {large: [], small: []}
        for session in (large, small) * _COMMITS:
            known[session], seconds = _one(session, known[session], kept[session])
            times[session].append(seconds)
    return times_bare(
        median(times[large]), median(times[small]), "beside: 100 Luns; from the second commit on"
    )


def _one(session: Session, known: Snapshot, kept: KeptRules) -> tuple[Snapshot, float]:
    """Make one more commit; returns the map after it, and the seconds that both took."""
    began = time.monotonic()
    options = replace(terms(), check=commit_rules(kept=kept))
    edit(session, known, partial(grown, name=lun_name(7)), options)
    after = refresh(session, known)
    return after, time.monotonic() - began


def _multis(client: KazooClient) -> float:
    """Set head and a document, and create a record, as often."""
    for path in ("/head", "/document", "/records"):
        client.create(path, b"")
    began = time.monotonic()
    for number in range(_COMMITS):
        transaction = client.transaction()
        transaction.set_data("/head", b"x" * 100)
        transaction.set_data("/document", b"x" * 250)
        transaction.create(f"/records/{number}-{uuid.uuid4()}", b"x" * 800)
        transaction.commit()
    return _COMMITS / (time.monotonic() - began)


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
