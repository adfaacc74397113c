"""The law of the journal: whatever happens to its bytes, it returns the entries in order, or damage."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.agent.state.journal import JournalDamagedError, chain_digest, parse_journal
from lunmapd.agent.state.map_snapshot import SNAPSHOT_FILE, LocalSnapshot, SnapshotDamagedError
from lunmapd.core.history.digest import show_digest
from lunmapd.store.tree.snapshot import Snapshot
from support.digests import map_digest
from support.strategies import lunmaps

CONTENTS = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda data: b"\n" not in data), min_size=1, max_size=6
)


def written(contents: list[bytes]) -> bytes:
    """Return the bytes of a journal with these lines."""
    lines, last = [], ""
    for content in contents:
        last = chain_digest(last, content)
        lines.append(f"{last} ".encode() + content + b"\n")
    return b"".join(lines)


def check(data: bytes, contents: list[bytes], at_least: int = 0) -> None:
    """Assert that the bytes read as a prefix of the written entries, or as damage."""
    try:
        found = parse_journal(data).contents
    except JournalDamagedError:
        return
    assert found == tuple(contents[: len(found)])
    assert len(found) >= at_least


@given(CONTENTS)
def test_what_was_written_is_read(contents: list[bytes]) -> None:
    """Undamaged bytes give every line."""
    assert parse_journal(written(contents)).contents == tuple(contents)


@given(CONTENTS, st.data())
def test_any_cut_gives_a_beginning(contents: list[bytes], data: st.DataObject) -> None:
    """A file cut anywhere is never damage: it gives the lines that are whole."""
    whole = written(contents)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    assert parse_journal(cut).contents == tuple(contents[: cut.count(b"\n")])


@given(CONTENTS, st.data())
def test_a_flipped_bit_never_gives_another_line(contents: list[bytes], data: st.DataObject) -> None:
    """Any bit turned anywhere gives damage, or at most takes the last line for torn."""
    whole = bytearray(written(contents))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    check(bytes(whole), contents, len(contents) - 1)


@given(CONTENTS, st.data())
def test_any_bytes_in_the_middle_never_give_another_line(contents: list[bytes], data: st.DataObject) -> None:
    """Any range replaced, removed or inserted gives a prefix of the written entries, or damage."""
    whole = written(contents)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    check(whole[:start] + data.draw(st.binary(max_size=80)) + whole[end:], contents)


@given(st.binary(max_size=400))
def test_garbage_is_torn_or_damage(data: bytes) -> None:
    """Random bytes give no entry, and raise no other error."""
    check(data, [])


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """Draw the states of a map that a node reads one after the other."""
    maps = draw(st.lists(lunmaps(), min_size=1, max_size=4))
    digests = [show_digest(map_digest(lunmap)) for lunmap in maps]
    return [
        Snapshot("c", revision, value, value, revision, lunmap)
        for revision, (lunmap, value) in enumerate(zip(maps, digests, strict=True), 1)
    ]


@given(histories(), st.data())
def test_a_damaged_snapshot_never_gives_another_map(states: list[Snapshot], data: st.DataObject) -> None:
    """After any cut, flip or replacement of its bytes, a snapshot is a map that was read, or damaged."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, SNAPSHOT_FILE)
        local = LocalSnapshot(path.parent)
        for state in states:
            local.keep(state)
        whole = path.read_bytes()
        start = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.sampled_from((start, start + 1, len(whole))))
        path.write_bytes(whole[:start] + data.draw(st.binary(max_size=4)) + whole[end:])
        try:
            kept = LocalSnapshot(path.parent).load()
        except SnapshotDamagedError as error:
            assert SNAPSHOT_FILE in str(error)
        else:
            assert kept is not None
            assert kept.snapshot in states
