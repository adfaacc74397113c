"""Several writers at a time: the later one is rebased on the newest map, or gets the clash."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from kazoo.client import KazooClient
from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import InvalidInputError, Problem
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.core.history.map_change import MapChange
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.commit.commit_errors import (
    BusyError,
    Clash,
    ConflictError,
    EditedMeanwhileError,
    UnexpectedRevisionError,
)
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.commit.draft import tip_of
from lunmapd.store.commit.publish import OvertakenError, publish
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.commits import content_of, overtake, put, terms
from support.maps import GIB, lun, luns, with_lun
from support.plain_client import PlainClient
from support.sessions import Connect

pytestmark = pytest.mark.integration

HOST = "iqn.2025-01.org.example:h"
WRITERS = 20


def test_a_late_writer_goes_on_top(session: Session) -> None:
    """A writer that read an old map and changes other objects is committed on the newest map.

    Nothing is lost.
    """
    base = read_tree(session)
    put(session, luns(1), base, author="bob")
    revision = put(session, luns(2), base, check=commit_rules())
    assert revision is not None
    assert revision.revision == 2
    assert [change.path for change in revision.changes] == ["luns/l2"]
    assert read_tree(session).lunmap == luns(1, 2)


def test_the_slower_writer_learns_what_clashes(session: Session) -> None:
    """The second writer of an object changes nothing, and gets object, fields, author and revision."""
    put(session, luns(1, 2))
    base = read_tree(session)
    put(session, with_lun(base.lunmap, "l1", lun(1, 2 * GIB)), base, author="bob")
    put(session, with_lun(read_tree(session).lunmap, "l3", lun(3)), author="eve")
    with pytest.raises(ConflictError, match=r"luns/l1 \(size\) was changed by bob in revision 2") as caught:
        put(session, with_lun(base.lunmap, "l1", lun(1, 3 * GIB)), base)
    assert (caught.value.revision, caught.value.clashes) == (3, (Clash("luns/l1", ("size",), "bob", 2),))
    assert read_tree(session).lunmap.luns["l1"].size == 2 * GIB


def test_a_clash_with_an_edit_around_the_tools_names_no_author(session: Session) -> None:
    """An object with an out-of-band edit since it was read is named without an author."""
    put(session, luns(1))
    base = read_tree(session)
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 2 * GIB)))
    for number in (2, 3):
        put(session, with_lun(read_tree(session).lunmap, f"l{number}", lun(number)))
    with PlainClient(session) as shell:
        shell.delete("revisions/0000000002")
    with pytest.raises(ConflictError, match="out of band"):
        put(session, with_lun(base.lunmap, "l1", lun(1, 3 * GIB)), base)


def test_an_overtaken_commit_is_not_sent(session: Session) -> None:
    """A commit that was prepared on an older head is given up before its transaction, and leaves nothing."""
    put(session, luns(1))
    base = read_tree(session)
    put(session, with_lun(base.lunmap, "l2", lun(2)))
    content = content_of(base, with_lun(base.lunmap, "l3", lun(3)))
    assert content is not None
    with pytest.raises(OvertakenError):
        publish(session, base, tip_of(base), content, terms())
    assert read_tree(session).lunmap == luns(1, 2)


def test_the_same_change_twice_is_one(session: Session) -> None:
    """A writer who was late with the very change that another has made has nothing left to do."""
    base = read_tree(session)
    put(session, luns(1), base)
    assert put(session, luns(1), base) is None
    assert read_tree(session).revision == 1


def test_both_changes_together_must_keep_the_rules(session: Session) -> None:
    """Two changes of other objects that break a rule together are a conflict, which names the rule."""
    base = read_tree(session)
    put(session, luns(1), base, check=commit_rules())
    same = Lunmap(luns={"other": lun(1)})
    with pytest.raises(ConflictError, match="the same backing is already that of") as caught:
        put(session, same, base, check=commit_rules())
    assert caught.value.clashes == ()
    assert read_tree(session).lunmap == luns(1)


def test_a_map_that_breaks_a_rule_is_refused_by_the_commit(session: Session) -> None:
    """Every commit checks the rules of maps and of changes."""
    with pytest.raises(InvalidInputError, match="serial"):
        put(session, with_lun(Lunmap(), "l1", replace(lun(1), serial="short")), check=commit_rules())
    put(session, luns(1), check=commit_rules())
    with pytest.raises(InvalidInputError, match="can't shrink"):
        put(session, with_lun(luns(1), "l1", lun(1, GIB // 2)), check=commit_rules())
    assert read_tree(session).revision == 1


def test_an_expected_revision_is_insisted_on(session: Session) -> None:
    """A commit for one revision only is not made on another one, not even with other objects."""
    base = read_tree(session)
    assert commit(session, base, luns(1), terms(expect=0)) is not None
    with pytest.raises(UnexpectedRevisionError, match=r"lunmapctl diff 0\.\.") as caught:
        commit(session, base, luns(2), terms(expect=0))
    assert (caught.value.expected, caught.value.found) == (0, 1)


def test_no_update_is_lost_among_many_writers(session: Session, connect: Connect) -> None:
    """Twenty writers at the same time all get their object in, each by a revision of its own."""
    base = read_tree(session)
    sessions = [connect() for _ in range(4)]

    def write(number: int) -> None:
        put(sessions[number % 4], luns(number), base, check=commit_rules())

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(1, WRITERS + 1)))
    found = read_tree(session)
    assert (found.revision, found.lunmap) == (WRITERS, luns(*range(1, WRITERS + 1)))


def test_an_edit_is_run_again_on_the_newer_map(session: Session, connect: Connect) -> None:
    """Writers who all count up the same field lose no count."""
    base = read_tree(session)
    other = connect()

    def count(lunmap: Lunmap) -> Lunmap:
        alias = lunmap.initiators[HOST].alias if lunmap.initiators else "0"
        return replace(lunmap, initiators={HOST: Initiator(str(int(alias) + 1))})

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: edit((session, other)[number % 2], base, count, terms()), range(10)))
    assert read_tree(session).lunmap.initiators[HOST].alias == "10"


def test_an_edit_is_bound_to_the_rules(session: Session) -> None:
    """The map that an edit function returns is checked like any other map."""
    with pytest.raises(InvalidInputError, match="serial"):
        edit(
            session,
            read_tree(session),
            lambda lunmap: with_lun(lunmap, "l1", replace(lun(1), serial="")),
            terms(check=commit_rules()),
        )


def test_who_is_always_late_is_told_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is overtaken at every attempt ends with an error."""
    monkeypatch.setattr("lunmapd.store.commit.commit.MAX_ATTEMPTS", 3)
    numbers = iter(range(1, 9))

    def interfere(change: MapChange) -> tuple[Problem, ...]:
        overtake(session, lambda _: with_lun(change.before, "l1", lun(1, next(numbers) * GIB)))
        assert change.objects
        return ()

    with pytest.raises(BusyError, match="faster 3 times"):
        edit(
            session,
            read_tree(session),
            lambda lunmap: with_lun(lunmap, "l2", lun(2)),
            terms(check=interfere),
        )


def test_an_edit_returns_the_map_that_the_next_one_starts_from(session: Session) -> None:
    """The map after an edit is the one that a read finds, with the same versions of objects and of head."""
    known = read_tree(session)
    for name, size in (("l1", 1), ("l2", 1), ("l1", 2)):
        made = edit(
            session, known, partial(with_lun, name=name, value=lun(int(name[1]), size * GIB)), terms()
        )
        assert made is not None
        assert made.after == read_tree(session)
        known = made.after


def test_an_edit_of_the_returned_map_overwrites_no_edit_around_the_tools(session: Session) -> None:
    """An object that was edited out of band after the own commit is not written over."""
    made = edit(session, read_tree(session), lambda there: with_lun(there, "l1", lun(1)), terms())
    assert made is not None
    assert made.after is not None
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 2 * GIB)))
    with pytest.raises(EditedMeanwhileError):
        edit(session, made.after, lambda there: with_lun(there, "l1", lun(1, 3 * GIB)), terms())
    assert read_tree(session).lunmap.luns["l1"].size == 2 * GIB


def test_a_commit_takes_two_round_trips(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further commit that changes an object sends one read and one transaction, if nobody else commits."""
    put(session, luns(1))
    known = read_tree(session)
    sent: list[str] = []
    call = KazooClient._call

    def record(client: KazooClient, request: object, result: Any) -> object:
        sent.append(type(request).__name__)
        return call(client, request, result)

    monkeypatch.setattr(KazooClient, "_call", record)
    edit(session, known, lambda there: with_lun(there, "l1", lun(1, 2 * GIB)), terms())
    assert sent == ["_Request", "Transaction"]
