"""The history of the map: reading it, and rollbacks on top of it."""

import random

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, InvalidInputError, Note
from lunmapd.core.base.documents import DocumentError, encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.commit.acts import confirm
from lunmapd.store.commit.commit_errors import UnexpectedRevisionError
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import map_at, walk_revisions
from lunmapd.store.tree.history_errors import HistoryTrimmedError, HistoryUnknownError, NoSuchRevisionError
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from support.commits import put, terms
from support.maps import GIB, lun, luns, mutate, with_lun
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

NOTE = Note("a test", "ann")


@pytest.fixture
def client(session: Session) -> Client:
    """Give a client on the test's session."""
    return Client(session)


def test_every_revision_is_found_again(session: Session) -> None:
    """After random commits the map of each revision is the one that was committed."""
    dice = random.Random(7)
    known = read_tree(session)
    maps = [known.lunmap]
    for _ in range(30):
        put(session, mutate(known.lunmap, dice), known)
        known = refresh(session, known)
        maps = maps if known.revision < len(maps) else [*maps, known.lunmap]
    for number, expected in enumerate(maps):
        assert map_at(session, known, number) == expected
    assert map_at(session, read_tree(session), 3) == maps[3]


def test_a_long_history_is_walked(session: Session) -> None:
    """All revisions are found, newest first, however many there are."""
    known = read_tree(session)
    for number in range(1, 141):
        put(session, luns(number), known)
        known = refresh(session, known)
    assert [revision.revision for revision in walk_revisions(session, 140)] == list(range(140, 0, -1))
    assert map_at(session, known, 1) == luns(1)


def test_what_is_to_come_and_what_was_trimmed_is_said(session: Session) -> None:
    """Neither a revision of the future nor one that is gone is guessed."""
    for number in range(1, 5):
        put(session, luns(number))
    with PlainClient(session) as shell:
        shell.delete(paths.revision(2))
    now = read_tree(session)
    assert map_at(session, now, 3) == luns(3)
    with pytest.raises(NoSuchRevisionError, match="there is no revision 5: the newest one is 4"):
        map_at(session, now, 5)
    with pytest.raises(HistoryTrimmedError) as caught:
        map_at(session, now, 1)
    assert (caught.value.revision, caught.value.oldest) == (1, 3)
    with pytest.raises(HistoryTrimmedError):
        map_at(session, now, 2)
    client = Client(session)
    assert client.revision(1).author == "ann"
    with pytest.raises(HistoryTrimmedError):
        client.revision(2)
    with pytest.raises(NoSuchRevisionError):
        client.revision(5)


def test_edits_around_the_tools_are_not_history(session: Session) -> None:
    """The map of an earlier revision holds no edits; without the revisions in between there is none."""
    put(session, luns(1, 2))
    put(session, luns(1, 2, 3))
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 5 * GIB)))
        shell.delete("luns/l2")
        now = read_tree(session)
        assert map_at(session, now, 1) == luns(1, 2)
        assert map_at(session, now, 2) == luns(1, 2, 3)
        shell.delete(paths.revision(1))
    with pytest.raises(HistoryUnknownError):
        map_at(session, read_tree(session), 2)


@pytest.mark.parametrize(
    "lie", [(b"l1", b"l2"), (b"/dev/vg/l1", b"/dev/vg/lX"), (b'"backing":', b'"backing__":')]
)
def test_revisions_that_lie_are_not_believed(session: Session, lie: tuple[bytes, bytes]) -> None:
    """Revisions that were altered don't lead to the digest of the one asked for."""
    put(session, luns(1))
    put(session, Lunmap())
    with PlainClient(session) as shell:
        shell.set(paths.revision(2), shell.get(paths.revision(2)).replace(*lie))
    with pytest.raises(DamagedError):
        map_at(session, read_tree(session), 1)


def test_the_log_is_newest_first_and_by_object(client: Client) -> None:
    """The log lists all revisions, or those of one object, whose path must be one."""
    client.edit(lambda lunmap: with_lun(lunmap, "l1", lun(1)), NOTE)
    client.edit(lambda lunmap: with_lun(lunmap, "l2", lun(2)), NOTE)
    client.edit(lambda lunmap: with_lun(lunmap, "l1", lun(1, 2 * GIB)), NOTE)
    assert [revision.revision for revision in client.log()] == [3, 2, 1]
    assert [revision.revision for revision in client.log("luns/l1")] == [3, 1]
    assert [[each.revision for each in client.log(before=end)] for end in (3, 1, 9)] == [
        [2, 1],
        [],
        [3, 2, 1],
    ]
    with pytest.raises(DocumentError, match="not the path of an object"):
        next(client.log("luns"))


def test_a_difference_goes_either_way(client: Client) -> None:
    """Two revisions are compared in the order given; without the second with the newest."""
    client.edit(lambda lunmap: with_lun(lunmap, "l1", lun(1)), NOTE)
    client.edit(lambda lunmap: with_lun(lunmap, "l2", lun(2)), NOTE)
    client.edit(lambda lunmap: with_lun(lunmap, "l1", None), NOTE)
    assert [change.path for change in client.diff(1)] == ["luns/l1", "luns/l2"]
    assert [change.path for change in client.diff(1, 2)] == ["luns/l2"]
    there, back = client.diff(0, 2), client.diff(2, 0)
    assert [(change.before, change.after) for change in there] == [(c.after, c.before) for c in back]


def test_a_rollback_is_a_new_revision(client: Client) -> None:
    """Going back commits the old map on top, and leaves the history as it is."""
    client.apply(luns(1, 2), NOTE)
    client.apply(luns(1, 3), NOTE)
    made = client.rollback(1, NOTE)
    assert made is not None
    assert made.revision == 3
    now = client.read()
    assert (now.revision, now.lunmap) == (3, luns(1, 2))
    assert client.map_at(2) == luns(1, 3)
    assert client.rollback(1, NOTE) is None


def test_a_rollback_may_not_do_what_no_commit_may(client: Client) -> None:
    """A Lun that was made anew keeps the serial that it has now, and one that grew does not shrink."""
    client.apply(luns(1), NOTE)
    client.apply(Lunmap(), NOTE)
    client.apply(Lunmap(luns={"l1": replace(lun(1), serial="f" * 32)}), NOTE)
    with pytest.raises(InvalidInputError, match="a serial never changes"):
        client.rollback(1, NOTE)
    client.apply(Lunmap(luns={"l1": replace(lun(1, 2 * GIB), serial="f" * 32)}), NOTE)
    with pytest.raises(InvalidInputError, match="can't shrink"):
        client.rollback(3, NOTE)
    assert client.newest() == 4


def test_a_confirmation_is_a_revision_of_its_own(session: Session) -> None:
    """It changes no object, moves `confirmed` forward only, and reaches who follows by deltas."""
    known = read_tree(session)
    for number in range(1, 4):
        put(session, luns(number))
    revision = confirm(session, known, 2, terms())
    assert revision is not None
    assert (revision.revision, revision.changes, revision.confirms) == (4, (), 2)
    assert refresh(session, known).confirmed == 2
    assert confirm(session, known, 1, terms()) is None
    put(session, luns(9))
    assert read_tree(session).confirmed == 2
    with pytest.raises(NoSuchRevisionError):
        confirm(session, known, 6, terms())
    with pytest.raises(UnexpectedRevisionError):
        confirm(session, known, 5, terms(expect=4))
