"""`lunmapctl validate`: map files, checked without a tree, for editors, hooks and CI."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TextIO

import click
from msgspec import Struct

from lunmapd.core.base.errors import Exit, InvalidInputError, Problem, show_place
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Lunmap
from lunmapd.core.base.text import sum_alike
from lunmapd.core.history.backup import BACKUP_FORMAT, read_backup
from lunmapd.core.history.changes import Change, as_raw, patch_map
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.offline import Checked, check_map_file
from lunmapd.service.ctl.files.text_file import read_text
from lunmapd.service.output import echo, echo_json


class Severity(StrEnum):
    """Whether a map with this remark is refused, or may be committed."""

    ERROR = "error"
    WARNING = "warning"


class RemarkReport(Struct, frozen=True):
    """A problem or a warning of a file; `line` is None if it concerns the whole file."""

    severity: Severity
    file: str
    line: int | None
    place: str
    message: str

    def __str__(self) -> str:
        source = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{source}: {self.severity}: {self.place}: {self.message}"

    @property
    def annotation(self) -> str:
        """The remark as a workflow command of GitHub, which other CI systems understand too."""
        where = f"file={_property(self.file)}" + ("" if self.line is None else f",line={self.line}")
        return f"::{self.severity} {where},title={_property(self.place)}::{_data(self.message)}"


class FileReport(Struct, frozen=True):
    """The JSON of one file."""

    file: str
    valid: bool
    remarks: tuple[RemarkReport, ...]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File("r", encoding="utf-8"), metavar="FILE...")
@click.option(
    "--against",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="The map before: a map file or a backup. Also refuse changes that a commit may not make.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations of a CI system.",
)
def validate(files: Sequence[TextIO], against: TextIO | None, output: str) -> None:
    """Check map files without ZooKeeper and settings: their form, and every rule of the map.

    All problems are reported at once, each with file, line and field; more than three that are alike are one
    line with their number, but -o json and -o github have all. Serials, port ids and passwords that a
    file omits count as given. Only the tree knows LUN numbers, port ids and paths of earlier revisions, and
    what the nodes have: 'apply --dry-run' checks these. Exit code 3 if a file has a problem.
    """
    former = None if against is None else _former(against)
    reports = [_report(file, former) for file in files]
    if output == "json":
        echo_json({"files": reports})
    else:
        _echo(reports, is_github=output == "github")
    if not all(report.valid for report in reports):
        sys.exit(Exit.INVALID)


def _former(file: TextIO) -> Lunmap:
    """Return the map of a map file or a backup. Raises InvalidInputError, BackupError, DocumentError."""
    text = read_text(file)
    if not text.startswith(f'{{"format":"{BACKUP_FORMAT}"'):
        return parse_map(text, file.name)[0]
    znodes = read_backup(text.encode().splitlines(keepends=True)).znodes
    documents = [(path, data) for path, data in znodes.items() if path.partition("/")[0] in SECTIONS]
    return patch_map(EMPTY_MAP, (Change(path, after=as_raw(data)) for path, data in documents))


def _report(file: TextIO, former: Lunmap | None) -> FileReport:
    try:
        checked = check_map_file(read_text(file), file.name, former)
    except InvalidInputError as error:
        checked = Checked(EMPTY_MAP, error.problems)
    remarks = (
        *(_remark(Severity.ERROR, problem, file.name) for problem in checked.problems),
        *(_remark(Severity.WARNING, warning, file.name) for warning in checked.warnings),
    )
    return FileReport(file.name, not checked.problems, remarks)


def _remark(severity: Severity, problem: Problem, file: str) -> RemarkReport:
    line = problem.source.removeprefix(file).removeprefix(":")
    return RemarkReport(
        severity, file, int(line) if line else None, show_place(problem.place), problem.message
    )


def _echo(reports: Sequence[FileReport], *, is_github: bool) -> None:
    remarks = [remark for report in reports for remark in report.remarks]
    echo(*([remark.annotation for remark in remarks] if is_github else _summed(remarks)))
    echo(*(f"{report.file}: valid" for report in reports if report.valid))


def _summed(remarks: Iterable[RemarkReport]) -> Iterator[str]:
    """Yield a line for each remark, for many of a file that are alike one."""
    alike = sum_alike(
        remarks, lambda each: f"{each.file} {each.severity} {each.message}", lambda each: each.place
    )
    return (f"{remark}{others}" for remark, others in alike)


def _data(text: str) -> str:
    """Escape the message of a workflow command (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
