"""A map file in the user's editor until it is committed, with the problems as comments at their lines."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lunmapd.client import InvalidInputError, LunmapdError, Problem
from lunmapd.core.base.errors import sum_problems
from lunmapd.service.ctl.files.map_file import MapFile, read_map_file
from lunmapd.service.output import echo

_T = TypeVar("_T")

_MARK = "#! "
_DEFAULT = "vi"


class EditorError(LunmapdError):
    """The editor can't be started, ended with an error, or left nothing of the text."""


def edit_file(text: str, commit: Callable[[MapFile], _T]) -> _T | None:
    """Let the user edit a text until `commit` accepts it; return None if the text was left as it is.

    After each InvalidInputError the user sees the problems as comments, and edits again; a text that is left
    as it is then raises the error. The first line, which names the base, is put back if the user removed it.
    The text is in a file that only its owner can read, and which is kept if anything fails. Raises
    EditorError, also for an empty text: an editor that fails can leave one.
    """
    with _kept_on_failure(text) as path:
        before, problem = text, None
        while True:
            _run_editor(path)
            edited = _with_first_line(text, (line for line in _lines(path) if not line.startswith(_MARK)))
            if not edited.strip():
                path.write_text(text, encoding="utf-8")
                raise EditorError(
                    "the text is empty: nothing was committed; 'lunmapctl apply' with --allow-empty commits "
                    "an empty map"
                )
            if edited == before:
                if problem is not None:
                    raise problem
                return None
            path.write_text(edited, encoding="utf-8")
            try:
                with path.open(encoding="utf-8") as file:
                    return commit(read_map_file(file))
            except InvalidInputError as error:
                before, problem = edited, error
                path.write_text(_with_comments(edited, error.problems), encoding="utf-8")


def _with_first_line(text: str, lines: Iterable[str]) -> str:
    """Return the edited lines as one text, below the first line of `text` if it does not begin with that.

    An empty text stays empty: with a base it would stand for the removal of the part that is edited.
    """
    edited, first = "".join(lines), text.partition("\n")[0]
    return edited if edited.startswith(first) or not edited.strip() else f"{first}\n{edited}"


@contextmanager
def _kept_on_failure(text: str) -> Iterator[Path]:
    """Make a file of mode 0600 with a text; it is removed unless an error occurs, which names it."""
    descriptor, name = tempfile.mkstemp(prefix="lunmap-", suffix=".yaml")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        yield Path(name)
    except BaseException:
        if Path(name).read_bytes() != text.encode():
            echo(f"lunmapctl: your text is kept: 'lunmapctl apply -f {name}' commits it", err=True)
            raise
        Path(name).unlink()
        raise
    Path(name).unlink()


def _lines(path: Path) -> list[str]:
    """Return the lines of the edited file, each with its end. Raises InvalidInputError."""
    try:
        return path.read_text(encoding="utf-8").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise InvalidInputError([Problem((), f"not UTF-8: {error.reason}", str(path))]) from None


def _run_editor(path: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _DEFAULT
    try:
        status = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        raise EditorError(f"can't start the editor {editor!r}: {error}; set VISUAL or EDITOR") from None
    if status != 0:
        raise EditorError(f"the editor {editor!r} ended with {status}: nothing was committed")


def _with_comments(text: str, problems: Sequence[Problem]) -> str:
    """Return a text with each problem as a comment above its line, many that are alike in one comment."""
    lines = text.splitlines(keepends=True)
    for problem, others in sorted(sum_problems(problems), key=lambda each: _line(each[0]), reverse=True):
        lines.insert(_line(problem) - 1, f"{_MARK}{Problem(problem.place, problem.message)}{others}\n")
    return "".join(lines)


def _line(problem: Problem) -> int:
    """Return the line of a problem, 1 if it has none."""
    number = problem.source.rpartition(":")[2]
    return int(number) if number.isdecimal() else 1
