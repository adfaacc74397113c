"""The ledger in backups, restores and migrations, and the ACL of its znodes."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, InvalidInputError, Note
from lunmapd.client.files import save_backup
from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.history.backup import Backup
from lunmapd.core.history.changes import Head, Revision, diff_maps
from lunmapd.core.history.digest import show_digest
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.ledger import read_whole_ledger
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.backup import take_backup
from lunmapd.store.upkeep.migrate import migrate
from lunmapd.store.upkeep.restore import restore
from lunmapd.store.upkeep.restore_lock import RestoreLock
from support.cluster import Ctl
from support.commits import NOW, put, terms
from support.digests import map_digest
from support.plain_client import PlainClient, make_former_tree
from support.sessions import Connect

pytestmark = pytest.mark.integration

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
EMPTY = Lunmap(
    {}, {T: Target({"n1": PortalGroup(1)})}, {H: Initiator()}, nodes={"n1": Node(1, ("10.0.0.1:3260",))}
)


def at(**numbers: int) -> Lunmap:
    """Return the map in which each of these Luns has a LUN number for the host H."""
    luns = {
        name: Lun(Block(f"/dev/vg/{name}"), f"{ord(name):025x}", maps=(Map(T, number, H),))
        for name, number in numbers.items()
    }
    return replace(EMPTY, luns=luns)


def used(session: Session) -> tuple[tuple[int, int], ...]:
    """Return the LUN numbers in the ledger."""
    return read_whole_ledger(session).ledger.numbers(T, H).used


@pytest.fixture
def taken(session: Session) -> Backup:
    """Give a backup at revision 2, in which x is LUN 6 and LUN 5 was left."""
    put(session, at(x=5))
    put(session, at(x=6))
    return take_backup(session, NOW)


def test_a_backup_carries_the_ledger(session: Session, taken: Backup) -> None:
    """In an empty chroot the ledger is that of the backup; a new number is refused as before."""
    with PlainClient(session) as shell:
        shell.delete("")
    restore(session, taken, terms())
    assert used(session) == ((5, 5),)
    with pytest.raises(InvalidInputError, match="LUN 5 led"):
        put(session, at(x=6, y=5))


def test_a_backup_without_a_ledger_gets_that_of_its_history(session: Session, taken: Backup) -> None:
    """A backup of an earlier version has no ledger: its revisions have the numbers."""
    znodes = {path: data for path, data in taken.znodes.items() if not path.startswith("addresses/")}
    assert len(znodes) < len(taken.znodes)
    with PlainClient(session) as shell:
        shell.delete("")
    restore(session, Backup(taken.title, znodes), terms())
    assert used(session) == ((5, 5),)


def test_a_restore_keeps_what_the_replaced_tree_used(session: Session, taken: Backup) -> None:
    """Numbers of revisions after the backup stay used, also those of the map that is replaced."""
    put(session, at(x=8, y=9))
    put(session, at(x=8))
    put(session, at(x=7))
    restore(session, taken, terms(), read_tree(session).cluster)
    assert used(session) == ((5, 9),)
    with pytest.raises(InvalidInputError, match=r"LUN 7 led .* to Lun x .* until revision 3"):
        put(session, at(x=6, z=7))


def test_a_restore_that_leads_numbers_elsewhere_is_refused(session: Session, taken: Backup) -> None:
    """The map of the backup gives a number to another Lun than the tree: nothing is touched unless named."""
    put(session, at(x=7))
    Client(session).apply(at(x=7, y=6), Note(reuse_luns=("y",)))
    before = read_tree(session)
    with pytest.raises(InvalidInputError, match=r"LUN 6 leads .* to Lun y .* --reuse-lun x"):
        restore(session, taken, terms(), before.cluster)
    assert read_tree(session) == before
    restore(session, taken, replace(terms(), reuse_luns=frozenset({"x"})), before.cluster)
    assert read_tree(session).lunmap == at(x=6)


def test_the_verb_names_what_may_be_used_again(
    session: Session, taken: Backup, ctl: Ctl, tmp_path: Path
) -> None:
    """`restore` has the options, and prints what hosts that follow the replaced tree have to do."""
    file = tmp_path / "backup"
    save_backup(file, taken)
    put(session, at(x=7))
    Client(session).apply(at(x=7, y=6), Note(reuse_luns=("y",)))
    where = (str(file), "--replace", taken.title.cluster)
    assert "--reuse-lun x" in ctl("restore", *where, expect=3).err
    restored = ctl("restore", *where, "--reuse-lun", "x", "-m", "back").out
    assert "end all use of x, y (unmount, vgchange -an), then\n" in restored
    assert " x as LUN 6 at " in restored
    assert read_tree(session).lunmap == at(x=6)
    assert Client(session).revision(3).message == "back"


def test_a_restore_that_stops_half_way_loses_no_number(
    session: Session, taken: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is written before anything of the replaced tree is deleted, and stays until the next try."""
    put(session, at(x=7))

    def fail(_lock: RestoreLock) -> None:
        raise KeyboardInterrupt

    cluster = read_tree(session).cluster
    with monkeypatch.context() as patched:
        patched.setattr(RestoreLock, "clear", fail)
        with pytest.raises(KeyboardInterrupt):
            restore(session, taken, terms(), cluster)
    assert used(session) == ((5, 7),)
    restore(session, taken, terms(), cluster)
    assert used(session) == ((5, 7),)


def test_a_damaged_tree_can_be_replaced(
    session: Session, taken: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that can't be decoded is replaced, an unreadable tree is not compared: both are logged."""
    with PlainClient(session) as shell:
        shell.set(paths.address_record(H), b"?")
        shell.delete("luns")
    restore(session, taken, terms(), taken.title.cluster)
    assert used(session) == ((5, 5),)
    assert "the LUN numbers of the existing tree are not compared" in caplog.text
    assert "a record of the ledger is ignored" in caplog.text


def test_a_migration_makes_the_ledger(connect: Connect) -> None:
    """A tree of schema 1 gets the ledger of its revisions with the commit that migrates it."""
    session = connect()
    make_former_tree(session, at(x=5))
    digest = show_digest(map_digest(at(x=6)))
    changes = diff_maps(at(x=5), at(x=6))
    with PlainClient(session) as shell:
        shell.set("luns/x", encode(at(x=6).luns["x"]))
        shell.create(paths.revision(2), encode(Revision(2, digest, "ann", NOW, "", changes)))
        shell.set(paths.HEAD, encode(Head(2, digest)))
    assert not read_whole_ledger(session).exists
    migrate(session, migrate_to_schema_2, terms())
    assert used(session) == ((5, 5),)


def test_an_unreadable_object_of_a_backup_has_no_numbers(session: Session, taken: Backup) -> None:
    """A document that can't be decoded is restored as it is, and counts as no Lun."""
    odd = Backup(taken.title, {**taken.znodes, "luns/odd": b"?"})
    restore(session, odd, terms(), read_tree(session).cluster)
    assert "luns/odd" in read_tree(session).unreadable
