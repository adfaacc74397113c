"""Documents as bytes, places in them, patches, the digest, and filled-in identities."""

import msgspec
import pytest

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import show_place
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, PortalGroup, Scope, Shared, Target
from lunmapd.core.history.changes import Change, patch_map, split_path
from lunmapd.core.history.digest import digest_documents, document_digest, replace_document, show_digest
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.core.map.fill_in import fill_in, needs_port_ids
from support.small_map import LUN, MAP, H, T


def test_canonical_bytes_are_short_and_stable() -> None:
    """Defaults are left out, so a field that is added later does not change old documents."""
    assert encode(Initiator()) == b"{}"
    assert encode(LUN.maps[0]) == f'{{"target":"{T}","lun":3,"initiator":"{H}"}}'.encode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"x":1}', "luns[a].x: unknown field"),
        (b"{", "luns[a]: "),
        (b"\xff", "luns[a]: "),
        (b'{"backing":3}', "luns[a].backing"),
    ],
)
def test_decoding_says_where(data: bytes, sentence: str) -> None:
    """A document that can't be decoded names its path."""
    with pytest.raises(DocumentError) as caught:
        decode(data, Lun, ("luns", "a"))
    assert str(caught.value).startswith(sentence)


def test_places_print_as_paths() -> None:
    """A place prints with names and indexes in brackets where they are keys."""
    assert show_place(("luns", "a.b", "maps", 0, "lun")) == "luns[a.b].maps[0].lun"
    assert show_place(()) == "(top level)"


@pytest.mark.parametrize("path", ["luns", "luns/", "disks/a", ""])
def test_foreign_paths_are_refused(path: str) -> None:
    """A change outside the map's sections is refused."""
    with pytest.raises(DocumentError, match="not the path"):
        split_path(path)


def test_patching_removes_and_tolerates_what_is_gone() -> None:
    """A change without a document removes the object, also when it is gone already."""
    gone = Change("luns/a", msgspec.Raw(b"{}"))
    assert patch_map(patch_map(MAP, [gone]), [gone]).luns == {}


def test_the_digest_ignores_order_and_forgets_what_left() -> None:
    """Documents may come in any order, and adding then removing one gives the digest back."""
    documents = [("luns/a", b"1"), ("luns/b", b"2")]
    assert digest_documents(documents) == digest_documents(reversed(documents))
    assert replace_document(replace_document(7, "x", None, b"1"), "x", b"1", None) == 7
    assert show_digest(document_digest("a", b"b")) == f"{document_digest('a', b'b'):064x}"


def test_luns_of_schema_1_say_that_they_are_shared() -> None:
    """Migration writes down the defaults of schema 1 for Luns of several nodes; all else stays as it is."""
    other = Lun(Block("/dev/b"), "2" * 32, maps=(Map(T + "2", 0, H),))
    alone = {T: MAP.targets[T], T + "2": Target({"n1": PortalGroup(3)})}
    lunmap = msgspec.structs.replace(MAP, luns={"a": LUN, "b": other}, targets=alone)
    documents = {f"{section}/{name}": encode(item) for section, name, item in lunmap.documents()}
    documents["luns/c"] = b"{"
    (changed,) = migrate_to_schema_2(documents).items()
    assert changed[0] == "luns/a"
    assert decode(changed[1], Lun) == msgspec.structs.replace(LUN, shared=Shared(Scope.OFF, Scope.OFF))
    assert migrate_to_schema_2(documents | dict([changed])) == {}


def test_identity_is_filled_in_and_kept() -> None:
    """A missing serial or port id is the existing one, else a new one; a given value is kept."""
    bare = msgspec.structs.replace(LUN, serial="")
    wanted = Lunmap(
        {"a": bare, "b": bare, "c": LUN},
        {
            T: Target({"n1": PortalGroup(), "n2": PortalGroup(), "n3": PortalGroup()}),
            T + "2": Target({"n1": PortalGroup(2)}),
        },
    )
    assert needs_port_ids(wanted, MAP)
    assert not needs_port_ids(MAP, MAP)
    filled = fill_in(wanted, MAP, lambda: "new")
    assert [lun.serial for lun in filled.luns.values()] == [LUN.serial, "new", LUN.serial]
    assert {name: group.port_id for name, group in filled.targets[T].nodes.items()} == {
        "n1": 1,
        "n2": 7,
        "n3": 3,
    }
    assert filled.targets[T + "2"].nodes["n1"].port_id == 2
