"""A map file of `apply` and `edit`: reading it, its base, and the question when it has none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click
from msgspec.structs import replace

from lunmapd.client import Client, FileBase, Lunmap, Proposal, Revision
from lunmapd.core.base.errors import Exit, InvalidInputError, LunmapdError
from lunmapd.core.map import mapfile
from lunmapd.core.map.file_base import base_of, with_base
from lunmapd.files import replace_file
from lunmapd.service.ctl.files.options import Basis
from lunmapd.service.ctl.files.text_file import read_text
from lunmapd.service.output import echo

if TYPE_CHECKING:
    from lunmapd.client import LastChange
    from lunmapd.core.map.source import YamlSource

_MAX_NAMED = 20


class MapFile(NamedTuple):
    """A map file: its name, its map, its lines, and its base (None: it has none)."""

    name: str
    lunmap: Lunmap
    source: "YamlSource"
    base: FileBase | None

    @property
    def is_standard_input(self) -> bool:
        """Whether it was read from standard input, and can neither be asked about nor rewritten."""
        return self.name == "<stdin>"

    @contextmanager
    def located(self, client: Client, base: FileBase | None) -> Iterator[None]:
        """Add the file's line to each problem of a map; a note names the base of a file that is merged."""
        try:
            yield
        except InvalidInputError as error:
            if base is not None and base.revision < client.newest():
                merged = f"the file is checked with what others committed since revision {base.revision}"
                echo(f"lunmapctl: note: {merged}: see 'lunmapctl diff {base.revision}..'", err=True)
            problems = [self.source.problem(problem.place, problem.message) for problem in error.problems]
            raise InvalidInputError(problems) from None


def read_map_file(file: TextIO) -> MapFile:
    """Read and parse a file. Raises InvalidInputError."""
    lunmap, source = mapfile.parse_map(read_text(file), file.name)
    return MapFile(file.name, lunmap, source, base_of(source))


class UndoesCommitsError(LunmapdError):
    """A file without a base puts back what earlier commits changed, and nobody allowed it.

    `undone` are the last changes of these fields; `is_shown` if the admin has read them and answered no.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, undone: "Sequence[LastChange]", *, is_shown: bool = False) -> None:
        self.undone, self.is_shown = tuple(undone), is_shown
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """The message: what is undone, and what to do."""
        advice = (
            "make it from 'lunmapctl get', name its revision with --base, or replace the map with --replace"
        )
        undone = () if self.is_shown else _undone_lines(self.undone)
        return (*undone, f"nothing was committed: {advice}")


def _undone_lines(undone: "Sequence[LastChange]") -> Iterator[str]:
    yield "the file does not name the revision that it was made from, and undoes changes of other commits:"
    fields: dict[tuple[int, str, str], list[str]] = {}
    for each in undone:
        fields.setdefault((each.revision, each.author, each.path), []).append(each.field)
    for revision, author, path in sorted(fields)[:_MAX_NAMED]:
        names = ", ".join(filter(None, fields[revision, author, path]))
        yield f"{path}{names and f' ({names})'}: revision {revision} by {author}"
    if len(fields) > _MAX_NAMED:
        yield f"and {len(fields) - _MAX_NAMED} more objects"


def check_undone(
    client: Client, proposal: Proposal, file: MapFile, basis: Basis, *, dry_run: bool, can_ask: bool = False
) -> None:
    """Ask before a file without a base undoes what others committed. Raises UndoesCommitsError."""
    if basis.replaces or basis.of(file) is not None or not (undone := client.undone(proposal)):
        return
    if dry_run:
        _warn_of_undone(undone)
    else:
        ask_undone(undone, can_ask=can_ask and not file.is_standard_input)


def ask_undone(undone: "Sequence[LastChange]", *, can_ask: bool) -> None:
    """Ask on a terminal whether a file may undo these changes; without one, --replace is the only yes.

    Raises UndoesCommitsError.
    """
    if not can_ask:
        raise UndoesCommitsError(undone)
    _warn_of_undone(undone)
    if not click.confirm("Commit the file all the same?", err=True):
        raise UndoesCommitsError(undone, is_shown=True)


def _warn_of_undone(undone: "Sequence[LastChange]") -> None:
    echo(*(f"lunmapctl: warning: {line}" for line in _undone_lines(undone)), err=True)


def renew_base(file: MapFile, basis: Basis, made: Revision | None) -> None:
    """Let the first line of a file name the revision that it became, so that it can be edited further.

    A file into which other commits were merged is not equal to the new map, and keeps its line.
    """
    base = basis.of(file)
    if made is None or base is None or base != file.base or file.is_standard_input:
        return
    if made.revision - max(made.part, 1) != base.revision:
        lacks = f"it lacks what others committed since revision {base.revision}"
        echo(f"lunmapctl: {file.name}: {lacks}; 'lunmapctl get' prints the newest map", err=True)
        return
    _rewrite(Path(file.name), file.source.text, base, replace(base, revision=made.revision))


def _rewrite(path: Path, known: str, old: FileBase, new: FileBase) -> None:
    """Replace the base in a file, which keeps owner and mode; warn if it can't be done.

    A file that is not `known` any more was edited meanwhile, and stays as it is. So does one that names its
    base by a key, as JSON does; a note says so.
    """
    try:
        path = path.resolve(strict=True)
        text = path.read_bytes().decode()
        renewed = with_base(text, old, new)
        if text.replace("\r\n", "\n") != known:
            return
        if renewed != text:
            replace_file(path, (renewed.encode(),), path.stat())
        else:
            still = f"its key 'base' still names revision {old.revision}: set it to {new.revision}"
            echo(f"lunmapctl: {path}: {still}", err=True)
    except (OSError, UnicodeDecodeError) as error:
        echo(f"lunmapctl: warning: the file still names its former revision: {error}", err=True)
