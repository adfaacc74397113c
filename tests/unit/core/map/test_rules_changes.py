"""The rules for changes of an existing Lun."""

import pytest

from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.rules import check_changes
from support.valid_map import edited

FILE = "backing: {type: fileio, path: /srv/db1.img}"
SIZE = "size: 64MiB"

CHANGES = [
    (f"serial: {'1' * 32}", f"serial: {'3' * 32}", "serial", "a serial never changes"),
    (SIZE, "size: 32MiB", "size", "can't shrink"),
    (SIZE, "size: 1GiB", None, None),
    (f"    {SIZE}\n", "", None, None),
    (FILE, FILE[:-1] + ", overrides: {}}", None, None),
    (FILE, "backing: {type: block, path: /srv/b}", "backing.type", "unmap the Lun first"),
    (FILE, FILE + "\n    vendor: ACME", "vendor", "unmap the Lun first"),
    (FILE, FILE + "\n    product: Disk", "product", "unmap the Lun first"),
    (FILE, FILE + "\n    attributes: {block_size: 4096}", "attributes.block_size", "set only before the Lun is exported"),
    (FILE, FILE + "\n    attributes: {emulate_tpu: 1}", None, None),
    (FILE, FILE + "\n    attributes: {no_such: 1}", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "sentence"), CHANGES, ids=[row[1] for row in CHANGES])
def test_changes_of_a_mapped_lun(old: str, new: str, field: str | None, sentence: str | None) -> None:
    """Values that initiators rely on are fixed while the Lun is mapped; other values may change."""
    before, after = parse_map(edited("", ""))[0], parse_map(edited(old, new))[0]
    found = [str(problem) for problem in check_changes(before, after)]
    if field is None:
        assert found == []
    else:
        (line,) = found
        assert line.startswith(f"luns[db1].{field}: ")
        assert sentence is not None
        assert sentence in line


def test_an_attribute_without_a_known_default_stays_given() -> None:
    """The device's own value can't be restored live; the kernel's default can where it is known."""
    after = parse_map(edited("", ""))[0]
    for name, count in (("max_write_same_len", 1), ("emulate_tpu", 0)):
        before = parse_map(edited(FILE, FILE + f"\n    attributes: {{{name}: 1}}"))[0]
        assert len(check_changes(before, after)) == count


def test_memory_does_not_grow_while_it_is_mapped() -> None:
    """Neither memory nor a program's Lun changes its size in place."""
    memory = "backing: {type: ramdisk, volatile: true}"
    before, after = (
        parse_map(edited(f"{SIZE}\n    {FILE}", f"size: {size}\n    {memory}"))[0]
        for size in ("64MiB", "128MiB")
    )
    assert [problem.place[-1] for problem in check_changes(before, after)] == ["size"]


def test_an_unmapped_lun_may_change() -> None:
    """Without a mapping, before or after, a Lun may change all but its serial and size."""
    other = FILE.replace("fileio", "block") + "\n    vendor: ACME\n    attributes: {block_size: 4096}"
    text = edited("", "")
    start = text.index("    maps:")
    bare = text[:start] + text[text.index("  db2:") :]
    mapped, unmapped = parse_map(text)[0], parse_map(bare.replace(FILE, other))[0]
    assert check_changes(mapped, unmapped) == ()
    assert check_changes(unmapped, mapped) == ()
