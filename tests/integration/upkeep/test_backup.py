"""Backup and restore, and the tree that was put back by other means."""

import json
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.client import (
    AlreadyInitialisedError,
    BackupError,
    BackupFileError,
    BadBackupError,
    Client,
    HistoryUnknownError,
    Note,
    NotInitialisedError,
    RestoreBusyError,
    Snapshot,
    StoreError,
    TreeExistsError,
)
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import Exit
from lunmapd.core.fleet.status import Live
from lunmapd.core.history.backup import Backup
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.draft import Write
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError, NewerSchemaError, RestoredError, WentBackError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.znodes import list_revisions, read_top
from lunmapd.store.upkeep.backup import take_backup
from lunmapd.store.upkeep.init import initialise, make_chroot
from lunmapd.store.upkeep.restore import restore
from lunmapd.store.upkeep.restore_lock import RestoreLock
from lunmapd.store.upkeep.trim import trim
from support.cluster import Ctl
from support.commits import NOW, put, terms
from support.maps import GIB, lun, luns
from support.plain_client import PlainClient, owns
from support.relay import Break, Relay
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration

NOTE = Note("a test", "ann")


@pytest.fixture
def full(session: Session) -> Session:
    """Give a session on a tree with a history that was trimmed, and a confirmation."""
    for number in range(1, 7):
        put(session, luns(100, number))
    trim(session, 4)
    Client(session).confirm(5, NOTE)
    return session


def content(snapshot: Snapshot) -> Snapshot:
    """Leave out the znodes that a restore changes."""
    same = replace(snapshot, versions={}, revision=0, head_version=0)
    return replace(same, incarnation=0, restored=0, confirmed=0)


def wipe(session: Session) -> None:
    """Remove the whole tree."""
    with PlainClient(session) as shell:
        shell.delete("")


def test_a_tree_survives_its_backup(full: Session) -> None:
    """After the tree was lost the backup brings back map, history and identity, as a new incarnation."""
    before, taken = read_tree(full), take_backup(full, NOW)
    wipe(full)
    meta = restore(full, taken, terms())
    now = read_tree(full)
    assert content(now) == content(before)
    assert (meta.incarnation, now.incarnation, now.revision, now.confirmed) == (1, 1, 8, 0)
    client = Client(full)
    assert list_revisions(full) == [3, 4, 5, 6, 7, 8]
    assert client.map_at(3) == luns(100, 3)
    assert (client.revision(8).author, client.revision(8).changes) == ("ann", ())
    assert client.apply(luns(1), NOTE) is not None
    with PlainClient(full) as shell:
        assert shell.children("") == sorted((*paths.PARENTS, paths.HEAD, paths.META))


def test_a_node_that_knew_the_tree_is_told(full: Session) -> None:
    """A client that read the tree before learns of the restore, and follows once it accepts it."""
    known, taken = read_tree(full), take_backup(full, NOW)
    put(full, luns(100, 9))
    later = read_tree(full)
    restore(full, taken, terms(), known.cluster)
    for snapshot in (known, later):
        with pytest.raises(RestoredError) as caught:
            refresh(full, snapshot)
        assert (caught.value.known, caught.value.found) == (0, 1)
    accepted = read_tree(full)
    assert (accepted.revision, accepted.restored, accepted.confirmed) == (8, 7, 0)
    Client(full).confirm(note=NOTE)
    assert refresh(full, accepted).confirmed == 8
    with pytest.raises(RestoredError):
        commit(full, later, luns(5), terms())


def test_a_tree_is_not_replaced_unless_it_is_named(full: Session) -> None:
    """An existing tree is never replaced unless its cluster is given; then its incarnation grows."""
    taken = take_backup(full, NOW)
    cluster = read_tree(full).cluster
    with pytest.raises(TreeExistsError, match=f"--replace {cluster}") as caught:
        restore(full, taken, terms())
    assert caught.value.cluster == cluster
    with pytest.raises(TreeExistsError):
        restore(full, taken, terms(), "another")
    assert restore(full, taken, terms(), cluster).incarnation == 1
    assert restore(full, taken, terms(), cluster).incarnation == 2
    wipe(full)
    other = initialise(full)
    put(full, luns(77))
    assert restore(full, taken, terms(), other).cluster == cluster
    assert read_tree(full).lunmap == luns(100, 6)


def test_what_the_nodes_say_stays(full: Session) -> None:
    """A restore in place of a tree does not touch the nodes' ephemerals, so none of them looks dead."""
    register(full, "n1", Live("m", "b", "1", NOW))
    restore(full, take_backup(full, NOW), terms(), read_tree(full).cluster)
    assert owns(full, "n1")
    assert set(read_fleet(full)) == {"n1"}


def test_what_is_staged_is_not_in_a_backup(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup in the middle of a large commit is of the map that nodes follow."""
    put(session, luns(1, 2))
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 8)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        commit(session, read_tree(session), luns(*range(2, 30)), replace(terms(), progress=stop))
    taken = take_backup(session, NOW)
    assert taken.title.revision == 1
    restore(session, taken, terms(), read_tree(session).cluster)
    now = read_tree(session)
    assert (now.lunmap, now.staged, now.has_edits) == (luns(1, 2), None, False)


def test_edits_and_garbage_are_kept(full: Session) -> None:
    """Out-of-band edits are restored as they were, and still distinguished from the history."""
    with PlainClient(full) as shell:
        shell.set("luns/l100", b"\xff garbage")
        shell.create("luns/l7", encode(lun(7)))
    before, taken = read_tree(full), take_backup(full, NOW)
    wipe(full)
    restore(full, taken, terms())
    now = read_tree(full)
    assert (now.unreadable, now.edited) == (before.unreadable, before.edited)
    assert set(now.edited) == {"luns/l100", "luns/l7"}


def test_a_backup_of_the_former_schema_is_restored_as_such(former: Session) -> None:
    """A tree that was not migrated comes back as it was, for nodes of either version."""
    taken = take_backup(former, NOW)
    wipe(former)
    restore(former, taken, terms())
    assert read_tree(former).schema == 1
    with PlainClient(former) as shell:
        assert {"live", "status"} <= set(shell.children(""))


@pytest.mark.parametrize("passed", range(6))
def test_a_restore_that_stops_leaves_no_tree(
    full: Session, connect: Connect, passed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted at any step, a restore leaves no tree or a whole one, and another restore completes it."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 12)
    before, taken = read_tree(full), take_backup(full, NOW)
    with Relay(full.hosts) as relay:
        through = connect(relay.hosts, deadline=1.0)
        until_reachable(lambda: read_tree(through))
        relay.next_break, relay.spare, relay.shut_at_break = Break.BEFORE, passed, True
        with suppress(StoreError):
            restore(through, taken, terms(), before.cluster)
        through.close()
    try:
        assert content(read_tree(full)) == content(before)
    except NotInitialisedError:
        with pytest.raises(TreeExistsError, match="a restore that stopped"):
            restore(full, taken, terms())
        with pytest.raises((DamagedError, AlreadyInitialisedError)):
            initialise(full)
    restore(full, taken, terms(), before.cluster)
    assert content(read_tree(full)) == content(before)


def test_an_interrupted_restore_names_how_it_is_completed(full: Session, connect: Connect) -> None:
    """Ctrl-C once the tree is gone: the message has the command, which then restores it."""
    before, taken = read_tree(full), take_backup(full, NOW)

    def beat() -> None:
        if full.repeat(lambda client: client.exists_async(full.path("head"))) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=f"^interrupted; no node .* '--replace {before.cluster}'$"):
        restore(connect(beat=beat), taken, terms(), before.cluster)
    restore(full, taken, terms(), before.cluster)
    assert content(read_tree(full)) == content(before)


@pytest.mark.parametrize("passed", range(6))
def test_a_lost_answer_does_not_stop_a_restore(full: Session, connect: Connect, passed: int) -> None:
    """A connection lost after ZooKeeper did a request costs nothing."""
    before, taken = read_tree(full), take_backup(full, NOW)
    with Relay(full.hosts) as relay:
        through = connect(relay.hosts)
        read_tree(through)
        relay.next_break, relay.spare = Break.AFTER, passed
        restore(through, taken, terms(), before.cluster)
        through.close()
    assert content(read_tree(full)) == content(before)


def test_the_incarnation_is_not_forgotten_by_a_restore_that_stopped(full: Session) -> None:
    """A tree that was restored before counts on, even if the next restore has to be repeated."""
    taken, cluster = take_backup(full, NOW), read_tree(full).cluster
    assert restore(full, taken, terms(), cluster).incarnation == 1
    RestoreLock(full).take(read_top(full).version)
    with pytest.raises(NotInitialisedError):
        read_tree(full)
    assert restore(full, taken, terms(), cluster).incarnation == 2


def test_garbage_in_place_of_a_tree_is_replaced_too(full: Session) -> None:
    """A tree whose meta can't be read is taken for one of the backup's cluster."""
    taken, cluster = take_backup(full, NOW), read_tree(full).cluster
    with PlainClient(full) as shell:
        shell.set(paths.META, b"garbage")
    with pytest.raises(TreeExistsError):
        restore(full, taken, terms())
    assert restore(full, taken, terms(), cluster).incarnation == 1
    assert read_tree(full).lunmap == luns(100, 6)


def test_two_restores_do_not_mix(full: Session, connect: Connect) -> None:
    """A client that takes over a restore stops the other one, which can write nothing any more."""
    taken, cluster = take_backup(full, NOW), read_tree(full).cluster
    wipe(full)
    make_chroot(full)
    slow = RestoreLock(full)
    slow.take(None)
    restore(connect(), taken, terms(), cluster)
    with pytest.raises(RestoreBusyError):
        slow.write([Write("luns/l55", None, b"{}")])
    assert slow.finish([Write("luns/l55", None, b"{}")]) is not None
    assert read_tree(full).lunmap == luns(100, 6)


def test_a_commit_at_the_last_moment_stops_the_restore(full: Session) -> None:
    """A tree that changed since it was read is not removed."""
    top = read_top(full)
    put(full, luns(5))
    with pytest.raises(RestoreBusyError, match="head"):
        RestoreLock(full).take(top.version)
    assert read_tree(full).lunmap == luns(5)


def test_what_is_in_the_way_stops_the_restore(full: Session) -> None:
    """An object that appears in the middle of a restore is not overwritten."""
    claim = RestoreLock(full)
    claim.take(read_top(full).version)
    claim.clear()
    with PlainClient(full) as shell:
        shell.create("luns/l1", b"theirs")
    with pytest.raises(RestoreBusyError, match="luns/l1"):
        claim.write([Write("luns/l1", None, b"ours")])


@pytest.mark.parametrize(
    ("path", "data", "error"),
    [
        ("meta", b"", BadBackupError),
        ("meta", b'{"schema":0,"cluster":"c"}', BadBackupError),
        ("meta", b'{"schema":99,"cluster":"c"}', NewerSchemaError),
        ("head", b"{}", BadBackupError),
    ],
)
def test_a_backup_that_is_no_tree_is_refused(
    full: Session, path: str, data: bytes, error: type[Exception]
) -> None:
    """A backup of another schema, or without its top, is refused before anything is touched."""
    taken = take_backup(full, NOW)
    broken = Backup(taken.title, {**taken.znodes, path: data})
    with pytest.raises(error):
        restore(full, broken, terms(), read_tree(full).cluster)
    assert read_tree(full).lunmap == luns(100, 6)


def test_a_backup_is_a_private_file(full: Session, tmp_path: Path) -> None:
    """The file is for its owner only and replaced as a whole; an unusable file is an error."""
    client, file = Client(full), tmp_path / "lunmap.backup"
    file.write_bytes(b"older")
    title = client.backup(file)
    assert (title.revision, title.cluster) == (7, read_tree(full).cluster)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    cut = tmp_path / "cut"
    cut.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BackupError):
        client.restore(cut, NOTE)
    with pytest.raises(BackupFileError, match="can't read"):
        client.restore(tmp_path / "none", NOTE)
    with pytest.raises(BackupFileError, match="can't write"):
        client.backup(tmp_path / "none" / "file")
    wipe(full)
    assert client.restore(file, NOTE).incarnation == 1
    assert read_tree(full).lunmap == luns(100, 6)


def test_the_command_line_takes_and_restores_backups(full: Session, tmp_path: Path) -> None:
    """The command line prints the result and the next step, and asks for the cluster to replace a tree."""
    ctl, file, cluster = Ctl(full.hosts, full.root), str(tmp_path / "b"), read_tree(full).cluster
    assert ctl("backup", file).out == f"wrote revision 7 of cluster {cluster} to {file}\n"
    ctl("apply", "-f", "-", "--replace", "--allow-empty", stdin="{}")
    assert f"--replace {cluster}" in ctl("restore", file, expect=4).err
    restored = ctl("restore", file, "--replace", cluster).out
    assert "revision 8, incarnation 1" in restored
    assert "lunmapctl confirm" in restored
    assert json.loads(ctl("show", "8", "-o", "json").out)["message"] == "restored from b"
    assert ctl("confirm").out == "committed revision 9\n"


def test_a_tree_that_went_back_is_frozen_until_that_is_accepted(full: Session) -> None:
    """Nodes that know a newer tree refuse an older one of the same incarnation; --rewound makes a new one."""
    with PlainClient(full) as shell:
        old = {path: shell.get(path) for path in (paths.HEAD, "luns/l6")}
        put(full, luns(100, 8))
        known = read_tree(full)
        shell.delete(paths.revision(8))
        shell.delete("luns/l8")
        shell.create("luns/l6", old["luns/l6"])
        shell.set(paths.HEAD, old[paths.HEAD])
    with pytest.raises(WentBackError, match="--rewound"):
        refresh(full, known)
    ctl = Ctl(full.hosts, full.root)
    assert ctl("confirm", "--rewound", "-m", "disk replaced").out == "committed revision 8\n"
    with pytest.raises(RestoredError):
        refresh(full, known)
    now = read_tree(full)
    assert (now.incarnation, now.restored, now.revision, now.confirmed) == (1, 7, 8, 7)
    assert now.lunmap == luns(100, 6)
    assert put(full, luns(1)) is not None
    assert "omit REVISION" in ctl("confirm", "3", "--rewound", expect=2).err


def test_edits_are_put_back(full: Session) -> None:
    """A repair restores every object of the history by a revision without changes, so that nodes read it."""
    known = read_tree(full)
    with PlainClient(full) as shell:
        shell.set("luns/l100", encode(lun(100, 5 * GIB)))
        shell.delete("luns/l6")
        shell.create("luns/l7", b"garbage")
    edited, client = read_tree(full), Client(full)
    assert [change.path for change in client.edited()] == ["luns/l100", "luns/l6", "luns/l7"]
    revision = client.repair(NOTE)
    assert revision is not None
    assert (revision.revision, revision.changes) == (8, ())
    for before in (known, edited):
        now = refresh(full, before)
        assert (now.lunmap, now.has_edits, now.unreadable) == (known.lunmap, False, {})
    assert client.repair(NOTE) is None
    assert client.edited() == ()


def test_a_repair_needs_the_history(session: Session) -> None:
    """Without the revisions of the objects nothing is repaired."""
    put(session, luns(1))
    put(session, luns(1, 2))
    with PlainClient(session) as shell:
        shell.delete(paths.revision(1))
        shell.set("luns/l1", encode(lun(1, 5 * GIB)))
    with pytest.raises(HistoryUnknownError, match="lunmapctl apply"):
        Client(session).repair(NOTE)


def test_a_large_repair_is_made_in_parts(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of objects that were deleted out of band are restored at once."""
    put(session, luns(*range(1, 60)))
    with PlainClient(session) as shell:
        for number in range(1, 60):
            shell.delete(f"luns/l{number}")
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)
    made = Client(session).repair()
    assert made is not None
    assert made.part == 3
    assert "put back luns/l1, luns/l10" in made.message
    now = read_tree(session)
    assert (now.lunmap, now.has_edits, now.staged) == (luns(*range(1, 60)), False, None)


def test_the_command_line_repairs(full: Session) -> None:
    """The command line shows the edits, reports them in status and check as a fault, and repairs them."""
    ctl = Ctl(full.hosts, full.root)
    assert ctl("repair").out == "there are no out-of-band edits\n"
    with PlainClient(full) as shell:
        shell.set("luns/l100", encode(lun(100, 5 * GIB)))
    assert "luns/l100 has an out-of-band edit" in ctl("status", expect=Exit.DEGRADED).out
    assert ctl("check", expect=1).out.startswith("LUNMAP WARNING - luns/l100 has an out-of-band edit")
    dry = ctl("repair", "--dry-run").out
    assert dry.startswith("~ luns/l100\n    size: 5 GiB -> 1 GiB\n\nNo host is disturbed")
    assert dry.endswith("nothing was reverted (dry run)\n")
    assert ctl("repair").out.splitlines()[-1] == "committed revision 8"
    assert "out-of-band" not in ctl("status").out
