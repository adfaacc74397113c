"""A tree of the former schema becomes one of this schema, all at once or not at all."""

from contextlib import suppress

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, Note, OlderSchemaError, OldNodesError
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Scope, Shared, Target
from lunmapd.core.fleet.status import Live
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.store.commit.commit_errors import StagedError, TakenOverError
from lunmapd.store.commit.commit_options import CommitOptions, CommitProgress, ignore_progress
from lunmapd.store.commit.draft import Signature
from lunmapd.store.commit.staged import read_staged, undo_commit
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.upkeep.migrate import migrate, resume_migration
from support.cluster import Ctl
from support.commits import NOON, NOW, any_map, put
from support.plain_client import PlainClient, make_former_tree
from support.relay import Break, Relay
from support.sessions import Connect

pytestmark = pytest.mark.integration

TARGET, HOST = "iqn.2026-01.org.example:san", "iqn.2026-01.org.example:h"
NOTE = Note("a test", "ann")
CHOICE = Shared(Scope.OFF, Scope.OFF)
COUNT = 50


def former_map() -> Lunmap:
    """Return a map of schema 1: Luns that two nodes serve, without a `shared` setting."""
    return Lunmap(
        luns={
            f"l{number}": Lun(
                Block(f"/dev/vg/l{number}"),
                serial=f"{number:025x}",
                maps=(Map(TARGET, number, HOST),),
            )
            for number in range(COUNT)
        },
        targets={TARGET: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})},
        initiators={HOST: Initiator()},
        nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
    )


def today() -> Lunmap:
    """Return the same map as schema 2 has it."""
    before = former_map()
    return replace(before, luns={name: replace(lun, shared=CHOICE) for name, lun in before.luns.items()})


@pytest.fixture
def tree(connect: Connect) -> Session:
    """Give a session on a tree of the former schema, whose nodes left their states and are gone."""
    session = connect()
    make_former_tree(session, former_map())
    with PlainClient(session) as shell:
        shell.create("status/n1", b"{}")
    return session


def terms(progress: CommitProgress = ignore_progress) -> CommitOptions:
    """Make the terms of a migration."""
    return CommitOptions(Signature("ann", "a test", NOON), any_map, progress=progress)


def leave(session: Session) -> None:
    """Begin a migration and leave it behind after two parts."""

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(session, migrate_to_schema_2, terms(stop))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a transaction take 20 objects, so that the migration is a large commit."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)


def test_a_tree_is_migrated_in_one_commit(tree: Session) -> None:
    """Documents, schema, and the places of the nodes change together, and the history goes on."""
    known = read_tree(tree)
    made = migrate(tree, migrate_to_schema_2, terms())
    assert made is not None
    assert (made.revision, len(made.changes)) == (2, COUNT)
    now = read_tree(tree)
    assert (now.schema, now.lunmap, now.has_edits) == (2, today(), False)
    assert (now.cluster, now.incarnation) == (known.cluster, 0)
    assert refresh(tree, known).lunmap == today()
    with PlainClient(tree) as shell:
        assert shell.children("") == sorted((paths.META, paths.HEAD, *paths.PARENTS))
        assert shell.children(paths.META) == [f"{now.cluster}.0"]
    assert migrate(tree, migrate_to_schema_2, terms()) is None
    assert Client(tree).map_at(1) == former_map()


def test_only_a_migrated_tree_is_committed_to(tree: Session) -> None:
    """Before migration a commit is refused with the advice to migrate.

    Afterwards commits and rollbacks work.
    """
    client = Client(tree)
    with pytest.raises(OlderSchemaError, match="lunmapctl migrate"):
        client.apply(today(), NOTE)
    client.migrate(NOTE)
    fewer = replace(today(), luns={"l1": today().luns["l1"]})
    assert client.apply(fewer, NOTE) is not None
    assert client.rollback(1, NOTE) is not None
    assert client.read().lunmap == today()


def test_a_tree_without_anything_to_convert_is_migrated(former: Session) -> None:
    """An empty map changes its schema, by a revision that changes no object."""
    made = migrate(former, migrate_to_schema_2, terms())
    assert made is not None
    assert (made.revision, made.changes) == (1, ())
    assert read_tree(former).schema == 2
    assert put(former, today()) is not None


def test_nodes_of_the_former_version_stop_it(tree: Session) -> None:
    """While a node lives that could not read the new schema, nothing is changed, and it is named."""
    with PlainClient(tree) as shell:
        shell.create("live/n2", b"{}", ephemeral=True)
        with pytest.raises(OldNodesError, match="n2") as caught:
            migrate(tree, migrate_to_schema_2, terms())
    assert caught.value.nodes == ["n2"]
    assert read_tree(tree).schema == 1
    assert migrate(tree, migrate_to_schema_2, terms()) is not None


def test_upgraded_nodes_stay_registered(tree: Session) -> None:
    """Nodes that run this version already are as alive after the migration as before."""
    live = Live("m", "b", "2", NOW)
    register(tree, "n1", live)
    migrate(tree, migrate_to_schema_2, terms())
    assert read_fleet(tree)["n1"].live == live


def test_a_document_that_cant_be_read_stays(tree: Session) -> None:
    """Garbage doesn't prevent a migration; it is still there to be repaired."""
    with PlainClient(tree) as shell:
        shell.set("luns/l7", b"garbage")
    migrate(tree, migrate_to_schema_2, terms())
    now = read_tree(tree)
    assert (now.schema, set(now.unreadable)) == (2, {"luns/l7"})
    assert now.lunmap.luns["l8"].shared == CHOICE


@pytest.mark.usefixtures("small")
def test_half_a_migration_is_seen_by_nobody(tree: Session, connect: Connect) -> None:
    """When a migration ended in the middle, nodes see the former map, and a second migration is refused."""
    known = read_tree(tree)
    leave(tree)
    for found in (read_tree(connect()), refresh(tree, known)):
        assert (found.schema, found.lunmap, found.has_edits) == (1, former_map(), False)
    with pytest.raises(StagedError):
        migrate(tree, migrate_to_schema_2, terms())


@pytest.mark.usefixtures("small")
def test_a_migration_is_resumed(tree: Session, connect: Connect) -> None:
    """Another client completes it, documents and schema; a later one gets an error."""
    leave(tree)
    late = read_staged(tree)
    other = connect()
    assert resume_migration(other, read_staged(other), migrate_to_schema_2, terms()).part == 3
    now = read_tree(tree)
    assert (now.schema, now.lunmap, now.staged, now.has_edits) == (2, today(), None, False)
    with pytest.raises(TakenOverError):
        resume_migration(tree, late, migrate_to_schema_2, terms())


@pytest.mark.usefixtures("small")
def test_a_migration_is_undone(tree: Session) -> None:
    """Undoing leaves the tree of the former schema as it was, and it can be migrated later."""
    leave(tree)
    undo_commit(tree, read_staged(tree), terms())
    now = read_tree(tree)
    assert (now.schema, now.lunmap, now.staged, now.has_edits) == (1, former_map(), None, False)
    assert migrate(tree, migrate_to_schema_2, terms()) is not None
    assert read_tree(tree).lunmap == today()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("broken", Break)
@pytest.mark.parametrize("passed", [0, 8, 9, 11])
def test_a_lost_connection_migrates_once(tree: Session, connect: Connect, broken: Break, passed: int) -> None:
    """A connection lost during preparation, at a part or at the release leaves the same result."""
    with Relay(tree.hosts) as relay:
        through = connect(relay.hosts)
        read_tree(through)
        relay.next_break, relay.spare = broken, passed
        assert migrate(through, migrate_to_schema_2, terms()) is not None
        through.close()
    now = read_tree(tree)
    assert (now.schema, now.revision, now.lunmap) == (2, 4, today())


def test_of_two_migrations_one_is_made(tree: Session, connect: Connect) -> None:
    """The second of two that begin at the same time is refused or has nothing to do, and nothing is mixed."""
    other = connect()

    def meanwhile(_done: int, _total: int) -> None:
        with suppress(StagedError):
            migrate(other, migrate_to_schema_2, terms())

    assert migrate(tree, migrate_to_schema_2, terms(meanwhile)) is not None
    assert migrate(other, migrate_to_schema_2, terms()) is None
    assert (read_tree(tree).revision, read_tree(tree).lunmap) == (2, today())


def test_the_command_line_migrates(tree: Session) -> None:
    """The command line prints the migration, and that there is nothing to do the second time."""
    ctl = Ctl(tree.hosts, tree.root)
    answer = ctl("apply", "-f", "-", "--replace", "--allow-empty", stdin="{}", expect=1)
    assert "once every node is upgraded" in answer.err
    assert ctl("migrate", "-m", "at last").out.endswith("committed revision 2\n")
    assert "at last" in ctl("log").out
    assert ctl("migrate").out == "nothing to do: the tree has this version's schema\n"
    assert ctl("migrate", "--resume").out == "nothing to do: the tree has this version's schema\n"


@pytest.mark.usefixtures("small")
def test_the_command_line_resumes_a_migration(tree: Session) -> None:
    """The command line resumes an interrupted migration."""
    leave(tree)
    assert "part 1 of 1 was written" in Ctl(tree.hosts, tree.root)("migrate", "--resume").err
    assert read_tree(tree).lunmap == today()
