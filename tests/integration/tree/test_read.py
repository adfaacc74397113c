import random
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import pytest
from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.core.history.changes import Head, Revision, Staged
from lunmapd.core.history.map_change import change_among, change_between
from lunmapd.store.session import paths
from lunmapd.store.session.errors import (
    DamagedError,
    ForeignClusterError,
    NewerSchemaError,
    NotInitialisedError,
    RestoredError,
    UnsteadyError,
    WentBackError,
)
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_object, read_tree
from lunmapd.store.tree.refresh import MAX_DELTAS, read_again, read_newer, refresh
from lunmapd.store.tree.snapshot import SCHEMA, Meta, Raw, Snapshot
from lunmapd.store.tree.znodes import read_many, read_newest, read_znodes
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.maps import GIB, lun, luns, mutate, with_lun
from support.plain_client import PlainClient, make_former_tree
from support.sessions import Connect

pytestmark = pytest.mark.integration


def content(snapshot: Snapshot) -> Snapshot:
    """Leave out what only a full read knows."""
    return replace(snapshot, versions={})


def test_garbage_harms_only_itself(session: Session) -> None:
    """An object that can't be decoded is named with its reason, and the others are there."""
    put(session, luns(1, 2))
    with PlainClient(session) as shell:
        shell.set("luns/l1", b"\xff{")
    found = read_tree(session)
    assert set(found.unreadable) == {"luns/l1"}
    assert found.lunmap == luns(2)
    assert set(found.edited) == {"luns/l1"}


def contents(znodes: Iterable[Raw | None]) -> list[tuple[bytes, int] | None]:
    """Return the bytes and the version of each znode, None for one that is missing."""
    return [None if each is None else (each.data, each.version) for each in znodes]


def test_many_znodes_are_read_as_each_by_itself(session: Session) -> None:
    """The bytes and versions of one request for many znodes are those of single requests, in their order."""
    put(session, luns(*range(1, 300)))
    with PlainClient(session) as shell:
        shell.set("luns/l7", encode(lun(7, 5 * GIB)))
        shell.set("luns/l8", b"")
        shell.set("luns/l9", b"x" * 900_000)
    wanted = [f"luns/l{number}" for number in range(301)]
    found = contents(read_many(session, wanted))
    assert found == contents(read_znodes(session, wanted))
    assert (found[0], found[300]) == (None, None)
    assert (found[7], found[8]) == ((encode(lun(7, 5 * GIB)), 1), (b"", 1))


def test_one_object_is_read_as_it_is(session: Session) -> None:
    """One object is read with the newest revision, also if it was edited out of band or can't be decoded."""
    put(session, luns(1, 2))
    put(session, luns(1, 2, 3))
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 5 * GIB)))
        shell.set("luns/l2", b"{")
    found = read_object(session, "luns/l1")
    assert found is not None
    assert (found.revision, list(found.lunmap.luns)) == (2, ["l1"])
    assert found.lunmap.luns["l1"].size == 5 * GIB
    assert (garbage := read_object(session, "luns/l2")) is not None
    assert set(garbage.unreadable) == {"luns/l2"}
    assert read_object(session, "luns/l9") is None


def test_a_part_of_a_large_commit_is_not_read(session: Session) -> None:
    """While a large commit is under way, only a full read shows an object as it was released."""
    put(session, luns(1))
    released = read_tree(session)
    with PlainClient(session) as shell:
        staged = Head(1, released.head_digest, staged=Staged(2, "", "", "", ""))
        shell.set("head", encode(staged))
    assert read_object(session, "luns/l1") is None


def test_edits_around_the_tools_are_found(session: Session) -> None:
    """Objects that were set, made or deleted without a commit show in the digest and are named."""
    put(session, luns(1, 2, 3))
    clean = read_tree(session)
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 5 * GIB)))
        shell.delete("luns/l2")
        shell.create("luns/l9", encode(lun(9)))
    found = read_tree(session)
    assert found.has_edits
    assert set(found.edited) == {"luns/l1", "luns/l2", "luns/l9"}
    assert found.lunmap.luns["l1"].size == 5 * GIB
    assert content(refresh(session, clean)) == content(clean)


def test_an_edit_is_still_found_after_the_next_commit_is_read(session: Session) -> None:
    """A node that follows revisions notices an edit at the next commit, and reads everything."""
    put(session, luns(1, 2))
    known = read_tree(session)
    with PlainClient(session) as shell:
        shell.set("luns/l1", encode(lun(1, 5 * GIB)))
    base = read_tree(session)
    put(session, with_lun(base.lunmap, "l3", lun(3)), base)
    assert content(refresh(session, known)) == content(read_tree(session))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_deltas_lead_to_what_is_there(session: Session, seed: int) -> None:
    """Following each revision or several at once, and reading everything, give the same map.

    The objects that a delta read names are all that may differ; a full read names none.
    """
    dice = random.Random(seed)
    each = some = full = read_tree(session)
    for _ in range(30):
        put(session, mutate(full.lunmap, dice), full)
        full = read_tree(session)
        each = refresh(session, each)
        if dice.random() < 0.2:
            before, found = some, read_newer(session, some)
            some = found.snapshot
            assert found.objects is not None
            compared = change_between(before.lunmap, some.lunmap)
            assert change_among(found.objects, before.lunmap, some.lunmap) == compared
        assert content(each) == content(full)
    assert read_again(session, some).objects is None
    assert content(refresh(session, some)) == content(full)


def test_reading_while_others_commit_mixes_no_revisions(session: Session, connect: Connect) -> None:
    """A read during commits returns the map of one revision, never parts of two."""
    reader = connect()

    def write() -> None:
        known = read_tree(session)
        for number in range(60):
            put(session, luns(*range(number % 7, 7 + number % 7)), known)
            known = refresh(session, known)

    writer = threading.Thread(target=write)
    writer.start()
    mixed = []
    while writer.is_alive():
        with suppress(UnsteadyError):
            found = read_tree(reader)
            mixed += [found.revision] if found.has_edits else []
    writer.join()
    assert mixed == []


def test_nothing_new_costs_nothing(session: Session) -> None:
    """A refresh at the same head gives the very snapshot that was known."""
    put(session, luns(1))
    known = read_tree(session)
    assert refresh(session, known) is known


def test_a_first_refresh_reads_everything(session: Session) -> None:
    """Without anything known a refresh is a full read."""
    put(session, luns(1))
    assert refresh(session, None) == read_tree(session)


@pytest.mark.parametrize("data", [None, b"garbage", b'{"revision":7}'])
def test_a_gap_is_bridged_by_a_full_read(session: Session, data: bytes | None) -> None:
    """A revision that is gone, or unreadable, costs a full read and nothing else."""
    known = read_tree(session)
    put(session, luns(1))
    put(session, luns(1, 2))
    with PlainClient(session) as shell:
        if data is None:
            shell.delete(paths.revision(1))
        else:
            shell.set(paths.revision(1), data)
    assert refresh(session, known) == read_tree(session)


def test_a_revision_that_lies_is_not_believed(session: Session) -> None:
    """A revision that was altered doesn't lead to head's digest, so everything is read."""
    known = read_tree(session)
    put(session, luns(1))
    with PlainClient(session) as shell:
        shell.set(paths.revision(1), shell.get(paths.revision(1)).replace(b"l1", b"l2"))
    assert refresh(session, known).lunmap == luns(1)


def test_a_node_far_behind_reads_everything(session: Session) -> None:
    """Beyond a number of revisions a full read is cheaper, and gives the same."""
    known = read_tree(session)
    now = known
    for number in range(MAX_DELTAS + 1):
        put(session, luns(number), now)
        now = refresh(session, now)
    assert refresh(session, known) == read_tree(session)
    assert content(now) == content(read_tree(session))


@pytest.mark.parametrize("gone", [paths.META, paths.HEAD])
def test_a_wiped_tree_is_not_an_empty_map(session: Session, gone: str) -> None:
    """Without meta or head there is no map, known before or not."""
    put(session, luns(1))
    known = read_tree(session)
    with PlainClient(session) as shell:
        shell.delete(gone)
    for before in (known, None):
        with pytest.raises(NotInitialisedError):
            refresh(session, before)


def test_a_chroot_that_never_was_is_not_an_empty_map(connect: Connect) -> None:
    """A chroot without a tree raises an error that names the command to make one."""
    with pytest.raises(NotInitialisedError, match="lunmapctl init"):
        read_tree(connect())


@pytest.mark.parametrize("section", SECTIONS)
def test_a_missing_section_is_not_empty(session: Session, section: str) -> None:
    """A section that was deleted is damage, not a map without these objects."""
    put(session, luns(1))
    with PlainClient(session) as shell:
        shell.delete(section)
    with pytest.raises(DamagedError, match=section):
        read_tree(session)


@pytest.mark.parametrize("path", [paths.META, paths.HEAD])
def test_garbage_at_the_top_is_damage(session: Session, path: str) -> None:
    """An unreadable meta or head is damage, and names the znode."""
    with PlainClient(session) as shell:
        shell.set(path, b"garbage")
    with pytest.raises(DamagedError, match=path):
        read_tree(session)


@pytest.mark.parametrize("change", ["ahead", "another digest", "no records"])
def test_a_head_without_its_record_is_damage(session: Session, change: str) -> None:
    """No reader follows a head that no commit can have made, whether it knows the map before or not."""
    for number in (1, 2):
        put(session, luns(number))
    known = read_tree(session)
    right = Head(2, known.digest)
    with PlainClient(session) as shell:
        match change:
            case "ahead":
                shell.set(paths.HEAD, encode(replace(right, revision=52)))
            case "another digest":
                shell.set(paths.HEAD, encode(replace(right, revision=3, digest="0" * 64)))
            case _:
                shell.delete(paths.revision(2))
        readers = (read_tree, read_newest) + (partial(refresh, known=known),) * (change != "no records")
        for read in readers:
            with pytest.raises(DamagedError, match="head"):
                read(session)
        shell.set(paths.HEAD, encode(right))
    assert refresh(session, known).revision == 2


def test_a_newer_schema_is_left_alone(session: Session) -> None:
    """A tree of a later schema is not interpreted."""
    with PlainClient(session) as shell:
        shell.set(paths.META, encode({"schema": SCHEMA + 1, "cluster": "c", "more": 1}))
    with pytest.raises(NewerSchemaError, match="upgrade"):
        read_tree(session)


def test_a_schema_that_never_was_is_damage(session: Session) -> None:
    """A schema below the first is no tree of ours."""
    with PlainClient(session) as shell:
        shell.set(paths.META, encode({"schema": 0, "cluster": "c"}))
    with pytest.raises(DamagedError, match="never was"):
        read_tree(session)


def test_a_tree_of_the_former_schema_is_read(connect: Connect) -> None:
    """A tree of the former schema returns its map and its schema."""
    session = connect()
    make_former_tree(session, luns(1))
    found = read_tree(session)
    assert (found.schema, found.lunmap, found.has_edits) == (1, luns(1), False)


def test_a_restore_and_a_confirmation_are_seen(session: Session) -> None:
    """Restores and confirmations of meta and head are part of each read, also of a delta read."""
    known = read_tree(session)
    assert (known.schema, known.incarnation, known.confirmed) == (SCHEMA, 0, 0)
    digest = known.head_digest
    confirmation = Revision(1, digest, "ann", "2025-01-31T12:00:00Z", "", (), confirms=1)
    with PlainClient(session) as shell:
        shell.create(paths.revision(1), encode(confirmation))
        shell.set(paths.HEAD, encode(Head(1, digest, confirmed=1)))
        assert refresh(session, known).confirmed == 1
        shell.set(paths.META, encode(Meta(SCHEMA, known.cluster, incarnation=3)))
    restored = read_tree(session)
    assert (restored.incarnation, restored.confirmed) == (3, 1)
    with pytest.raises(RestoredError, match="incarnation 3") as caught:
        refresh(session, known)
    assert (caught.value.known, caught.value.found) == (0, 3)
    with PlainClient(session) as shell:
        shell.set(paths.META, encode(Meta(SCHEMA, known.cluster, incarnation=2)))
    with pytest.raises(WentBackError):
        refresh(session, restored)


def test_a_head_that_says_more_costs_no_full_read(session: Session) -> None:
    """A large commit that begins, or a confirmation, changes the known snapshot's head only."""
    put(session, luns(1))
    known = read_tree(session)
    staged = Staged(2, known.head_digest, "ann", "2025-01-31T12:00:00Z", "")
    with PlainClient(session) as shell:
        shell.set(paths.HEAD, encode(Head(1, known.head_digest, 1, staged)))
    found = refresh(session, known)
    assert (found.confirmed, found.staged, found.head_version) == (1, staged, known.head_version + 1)
    assert found.lunmap is known.lunmap


def test_another_cluster_is_not_followed(session: Session) -> None:
    """A tree with another uuid than the known one is refused, even at the same revision."""
    known = read_tree(session)
    with PlainClient(session) as shell:
        shell.set(paths.META, encode(Meta(1, "another")))
    with pytest.raises(ForeignClusterError) as caught:
        refresh(session, known)
    assert (caught.value.known, caught.value.found) == (known.cluster, "another")


def test_an_older_tree_is_not_followed(session: Session) -> None:
    """A tree at an older revision than the known one is refused."""
    with PlainClient(session) as shell:
        old = shell.get(paths.HEAD)
        put(session, luns(1))
        known = read_tree(session)
        shell.set(paths.HEAD, old)
    with pytest.raises(WentBackError) as caught:
        refresh(session, known)
    assert (caught.value.known, caught.value.found) == (1, 0)


def test_another_history_is_not_followed(session: Session) -> None:
    """The known revision with another digest is a restored tree that went another way, and is refused."""
    put(session, luns(1))
    known = read_tree(session)
    with PlainClient(session) as shell:
        shell.set(paths.HEAD, shell.get(paths.HEAD).replace(known.head_digest[:8].encode(), b"00000000"))
    with pytest.raises(WentBackError, match="another revision 1"):
        refresh(session, known)


def test_a_new_tree_in_place_of_the_known_one_is_foreign(session: Session) -> None:
    """Wiping and making the tree anew is noticed, although it's a good tree."""
    put(session, luns(1))
    known = read_tree(session)
    with PlainClient(session) as shell:
        shell.delete("")
    initialise(session)
    with pytest.raises(ForeignClusterError):
        refresh(session, known)
