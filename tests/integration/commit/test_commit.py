import pytest
from msgspec.structs import replace

from lunmapd.client import Client
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.store.commit.commit_errors import EditedMeanwhileError, OutcomeUnknownError
from lunmapd.store.commit.draft import Content, draft_commit, tip_of
from lunmapd.store.commit.send import send_draft
from lunmapd.store.session import paths
from lunmapd.store.session.errors import (
    AlreadyInitialisedError,
    DamagedError,
    ForeignClusterError,
    NotInitialisedError,
    OlderSchemaError,
)
from lunmapd.store.session.limits import TooLargeError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise
from support.commits import NOW, content_of, put, terms
from support.maps import GIB, lun, luns, with_lun
from support.plain_client import PlainClient
from support.relay import Break, Relay
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration


def test_a_tree_is_made_once(connect: Connect) -> None:
    """The first init makes a tree at revision 0; a second one names the cluster and changes nothing."""
    session = connect()
    cluster = initialise(session)
    with pytest.raises(AlreadyInitialisedError) as caught:
        initialise(session)
    assert caught.value.cluster == cluster
    found = read_tree(session)
    assert (found.cluster, found.revision, found.lunmap, found.has_edits) == (cluster, 0, Lunmap(), False)


def test_half_a_tree_is_not_completed(session: Session) -> None:
    """An init over the rest of a tree refuses, since the objects in it would become the map."""
    with PlainClient(session) as shell:
        shell.delete(paths.META)
    with pytest.raises(DamagedError, match="without meta or head"):
        initialise(session)


def test_what_was_committed_is_read(session: Session) -> None:
    """A committed map reads back equal, at the revision and digest that the commit gave."""
    lunmap = replace(luns(1, 2, 3), initiators={"iqn.2025-01.org.example:h": Initiator()})
    revision = put(session, lunmap)
    found = read_tree(session)
    assert revision is not None
    assert (revision.revision, revision.author, revision.time) == (1, "ann", NOW)
    assert (found.revision, found.digest, found.lunmap) == (1, revision.digest, lunmap)
    assert not found.has_edits


def test_objects_are_changed_and_removed(session: Session) -> None:
    """A commit creates, changes and removes objects at once."""
    put(session, luns(1, 2))
    after = with_lun(luns(1, 3), "l1", lun(1, 2 * GIB))
    put(session, after)
    found = read_tree(session)
    assert found.lunmap == after
    assert not found.has_edits


def test_no_change_is_no_revision(session: Session) -> None:
    """Committing the map that is there makes no revision."""
    put(session, luns(1))
    assert put(session, luns(1)) is None
    assert read_tree(session).revision == 1


def test_a_document_that_is_too_large_leaves_nothing(session: Session) -> None:
    """A document above the limit is refused with its size, and the connection survives."""
    lunmap = Lunmap(initiators={"iqn.2025-01.org.example:h": Initiator(alias="x" * 300_000)})
    with pytest.raises(TooLargeError, match="limit is 262144") as caught:
        put(session, lunmap)
    assert caught.value.size > 300_000
    assert read_tree(session).revision == 0


def test_the_largest_commit_is_taken(session: Session) -> None:
    """A commit just within the limits is done, so they are not above those of ZooKeeper."""
    lunmap = Lunmap(
        initiators={f"iqn.2025-01.org.example:{n}": Initiator(alias="x" * 220_000) for n in range(2)}
    )
    put(session, lunmap)
    assert read_tree(session).lunmap == lunmap
    put(session, Lunmap())
    many = luns(*range(997))
    put(session, many)
    assert read_tree(session).lunmap == many


def test_an_edit_between_read_and_commit_is_not_overwritten(session: Session) -> None:
    """A commit over an object with a new out-of-band edit is refused, and names the object."""
    put(session, luns(1, 2))
    base = read_tree(session)
    with PlainClient(session) as shell:
        shell.set("luns/l1", b"{}")
    with pytest.raises(EditedMeanwhileError) as caught:
        put(session, luns(2), base)
    assert caught.value.path == "luns/l1"


def test_a_tree_that_was_made_anew_is_not_written(session: Session) -> None:
    """A commit to a tree that was made again since it was read is refused, although versions match."""
    base = read_tree(session)
    with PlainClient(session) as shell:
        shell.delete("")
    initialise(session)
    with pytest.raises(ForeignClusterError):
        put(session, luns(1), base)
    prepared = draft_commit(tip_of(base), content_of(base, luns(1)) or Content(), terms().signature)
    failure = send_draft(session, prepared)
    assert failure is not None
    assert failure.path == prepared.tree_id
    assert read_tree(session).revision == 0


def test_a_tree_without_its_identity_is_damaged(session: Session) -> None:
    """Without the znode of the tree id nothing is committed."""
    base = read_tree(session)
    identity = paths.tree_id(base.cluster, base.incarnation)
    with PlainClient(session) as shell:
        shell.delete(identity)
    with pytest.raises(DamagedError, match=identity):
        put(session, luns(1), base)


def test_a_tree_of_the_former_schema_is_not_written(former: Session) -> None:
    """A commit to a tree that was not migrated is refused with the advice to do so."""
    with pytest.raises(OlderSchemaError, match="lunmapctl migrate"):
        put(former, luns(1))


def test_a_commit_to_no_tree_says_so(session: Session) -> None:
    """A commit after the tree was wiped is refused and makes nothing."""
    base = read_tree(session)
    with PlainClient(session) as shell:
        shell.delete(paths.META)
    with pytest.raises(NotInitialisedError):
        put(session, luns(1), base)


@pytest.mark.parametrize("broken", Break)
def test_a_lost_connection_commits_once(session: Session, connect: Connect, broken: Break) -> None:
    """A connection lost during a commit leaves exactly one revision, written before or after the loss."""
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts)
        base = read_tree(through)
        relay.next_break = broken
        revision = put(through, luns(1), base)
        assert revision is not None
        assert relay.next_break is None
        through.close()
    with PlainClient(session) as shell:
        assert shell.children(paths.REVISIONS) == ["0000000001"]
    assert read_tree(session).lunmap == luns(1)


def test_an_outcome_that_cant_be_learnt_is_not_invented(session: Session, connect: Connect) -> None:
    """When ZooKeeper stays away after the break, the commit neither claims success nor failure."""
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts, deadline=4.0)
        base = until_reachable(lambda: read_tree(through))
        relay.next_break, relay.shut_at_break = Break.AFTER, True
        with pytest.raises(OutcomeUnknownError) as caught:
            put(through, luns(1), base)
        assert caught.value.revision == 1
        through.close()
    assert read_tree(session).revision == 1


def test_an_init_that_is_lost_is_found_again(connect: Connect) -> None:
    """A connection lost during init returns the cluster that was made, not an error that one exists."""
    direct = connect()
    with Relay(direct.hosts) as relay:
        relay.next_break = Break.AFTER
        through = connect(relay.hosts)
        cluster = initialise(through)
        through.close()
    assert read_tree(direct).cluster == cluster


def test_a_commit_takes_in_what_was_edited(session: Session) -> None:
    """The next commit records the out-of-band edits, and the tree is consistent again."""
    put(session, luns(1, 2))
    with PlainClient(session) as shell:
        shell.set("luns/l1", shell.get("luns/l1").replace(b":", b": "))
        shell.delete("luns/l2")
    base = read_tree(session)
    assert base.has_edits
    revision = put(session, with_lun(base.lunmap, "l3", lun(3)), base)
    assert revision is not None
    assert [change.path for change in revision.changes] == ["luns/l1", "luns/l2", "luns/l3"]
    found = read_tree(session)
    assert not found.has_edits
    assert found.raw == {}
    assert found.lunmap == luns(1, 3)


def test_a_commit_replaces_what_is_unreadable(session: Session) -> None:
    """An unreadable object stays as it is through other commits, until one gives it a new document."""
    put(session, luns(1))
    with PlainClient(session) as shell:
        shell.set("luns/l1", b"garbage")
    put(session, luns(2))
    assert set(read_tree(session).unreadable) == {"luns/l1"}
    put(session, luns(1, 2))
    found = read_tree(session)
    assert (found.unreadable, found.lunmap, found.has_edits) == ({}, luns(1, 2), False)


def test_a_lun_that_can_not_be_read_is_who_it_was(session: Session) -> None:
    """A document that replaces garbage without a serial gets the serial of the revisions."""
    put(session, luns(1))
    with PlainClient(session) as shell:
        shell.set("luns/l1", b"garbage")
    Client(session).apply(with_lun(luns(1), "l1", replace(lun(1), serial="")))
    found = read_tree(session)
    assert (found.unreadable, found.lunmap, found.has_edits) == ({}, luns(1), False)
