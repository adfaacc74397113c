"""Assembling a snapshot from the documents of the tree."""

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import decode, encode
from lunmapd.core.base.lunmap import Lun, Lunmap, Map
from lunmapd.core.history.changes import Change, Head, Revision, as_raw, patch_map_digest
from lunmapd.core.history.digest import digest_documents, show_digest
from lunmapd.store.tree.snapshot import Raw, advance, assemble
from support.digests import map_digest
from support.stored_map import META, lun, luns, objects


def test_what_is_known_stays_the_same_object() -> None:
    """A map that is read again shares with the one before what did not change, and nothing else."""
    before, now = luns(1, 2, 3), Lunmap(luns={"l1": lun(1), "l2": lun(2, size=1024), "l4": lun(4)})
    found = assemble(META, Head(1, show_digest(map_digest(now))), 1, objects(now), before)
    assert found.lunmap == now
    assert found.digest == found.head_digest
    assert found.lunmap.luns["l1"] is before.luns["l1"]
    assert next(name for name in found.lunmap.luns if name == "l2") is next(
        name for name in before.luns if name == "l2"
    )


def test_maps_share_their_names() -> None:
    """Names of targets and initiators, which most maps share, are one string whatever the map's source."""
    entry = Map("iqn.2026-01.org.example:t", 1, "iqn.2026-01.org.example:h")
    one, other = (decode(encode(Lun(lun(1).backing, maps=(entry,))), Lun).maps[0] for _ in range(2))
    assert one == entry
    assert one.target is other.target
    assert one.initiator is other.initiator


def test_luns_share_what_is_equal_in_most() -> None:
    """Luns without attributes and overrides have one empty mapping; the maps of a Lun have one number."""
    entries = tuple(
        Map("iqn.2026-01.org.example:t", 1000, f"iqn.2026-01.org.example:{host}") for host in "ab"
    )
    one, other = (decode(encode(Lun(lun(1).backing, maps=entries)), Lun) for _ in range(2))
    assert one == other
    assert one.attributes is other.attributes
    assert isinstance(one.backing, Block)
    assert isinstance(other.backing, Block)
    assert one.backing.overrides is other.backing.overrides
    assert one.maps[0].lun is one.maps[1].lun
    assert encode(one) == encode(Lun(lun(1).backing, maps=entries))


def test_a_snapshot_has_the_objects_of_its_paths() -> None:
    """An object that can't be decoded is there too, one of another section or name is not."""
    damaged = {**objects(luns(1)), "luns/l2": Raw(b"?", 0)}
    found = assemble(META, Head(1, ""), 1, damaged)
    asked = ("luns/l1", "luns/l2", "luns/l3", "nodes/l1")
    assert {path for path in asked if found.has(path)} == found.paths() == {"luns/l1", "luns/l2"}


def test_a_revision_replaces_what_was_known_of_its_objects() -> None:
    """An object that a revision changes has the bytes of the revision, however it was stored before."""
    stored = {"luns/l1": Raw(encode(lun(1)) + b" ", 0), "luns/l2": Raw(b"?", 0)}
    before = digest_documents((path, raw.data) for path, raw in stored.items())
    known = assemble(META, Head(1, show_digest(before)), 1, stored)
    assert known.raw.keys() == {"luns/l1", "luns/l2"}
    assert known.unreadable.keys() == {"luns/l2"}
    changes = [Change(path, as_raw(raw.data), as_raw(encode(lun(9)))) for path, raw in sorted(stored.items())]
    digest = show_digest(patch_map_digest(before, changes))
    after = advance(known, Head(2, digest), 2, [Revision(2, digest, "ann", "", "", tuple(changes))])
    assert after is not None
    assert (after.raw, after.unreadable) == ({}, {})
    assert [after.data(path) for path in stored] == [encode(lun(9))] * 2
