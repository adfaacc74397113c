"""The base of a map file: written, read, renewed, and refused when it is malformed."""

import pytest

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.core.map.file_base import FileBase, base_line, base_of, part_of, with_base
from lunmapd.core.map.mapfile import parse_map
from support.maps import luns

BASE = FileBase(31, "4d9d32ab", 2)


def read(text: str) -> FileBase | None:
    """Return the base of a file."""
    return base_of(parse_map(text)[1])


@pytest.mark.parametrize("base", [BASE, FileBase(0, "c", 0, "luns/db1"), FileBase(7, "c", 0, "nodes")])
def test_the_line_is_read_back(base: FileBase) -> None:
    """In the first line, below other comments and empty lines, and with spaces at its end."""
    line = base_line(base)
    for text in (f"{line}\nluns: {{}}\n", f"# ours\n\n{line}  \nnodes: {{}}", line):
        assert read(text) == base


@pytest.mark.parametrize("text", ["luns: {}\n" + base_line(BASE), "# lunmap of the lab\nluns: {}", ""])
def test_other_comments_are_no_base(text: str) -> None:
    """Only a comment at the top, of this form, names the base."""
    assert read(text) is None


def test_json_names_the_base_by_a_key() -> None:
    """The key comes before a comment, and only the revision is required."""
    assert read('{"base": {"revision": 31, "cluster": "4d9d32ab", "incarnation": 2}, "luns": {}}') == BASE
    assert read(f"{base_line(BASE)}\nbase: {{revision: 3}}\n") == FileBase(3)


def test_a_malformed_key_is_refused() -> None:
    """With its line, as any field."""
    with pytest.raises(InvalidInputError, match=r"m:2: base.revision: expected a whole number"):
        parse_map("base:\n  revision: x\n", "m")
    with pytest.raises(InvalidInputError, match="base: missing required field 'revision'"):
        parse_map("base: {}", "m")


def test_the_line_is_renewed_in_its_place() -> None:
    """Nothing else of the text changes, and a text without the line stays as it is."""
    new = FileBase(32, BASE.cluster, BASE.incarnation)
    text = f"# ours\r\n{base_line(BASE)} \r\nluns: {{}} # {base_line(BASE)}\n"
    assert with_base(text, BASE, new) == text.replace("revision 31 \r\n", "revision 32\r\n", 1)
    assert with_base("luns: {}", BASE, new) == "luns: {}"


def test_a_part_of_a_map() -> None:
    """All of it, a section, or an object."""
    lunmap = Lunmap(luns=luns(1, 2).luns, initiators={"iqn.2026-01.org.example:h": Initiator()})
    assert part_of(lunmap, "") is lunmap
    assert part_of(lunmap, "luns") == luns(1, 2)
    assert part_of(lunmap, "luns/l2") == luns(2)
    assert part_of(lunmap, "luns/x") == Lunmap()


def test_a_part_with_the_objects_that_a_file_added_to_it() -> None:
    """They are of the map as well: the file changes them, and does not add them."""
    assert part_of(luns(1, 2, 3), "luns/l2", luns(3, 4)) == luns(2, 3)


def test_a_byte_order_mark_hides_no_base() -> None:
    """Editors of Windows write one; it stays when the line is renewed."""
    text = f"\ufeff{base_line(BASE)}\nluns: {{}}\n"
    assert read(text) == BASE
    renewed = with_base(text, BASE, FileBase(32, BASE.cluster, BASE.incarnation))
    assert renewed == text.replace("revision 31", "revision 32")
