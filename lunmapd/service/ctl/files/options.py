"""The options about a map file and its base. `map_file` reads the file."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from lunmapd.client.note import Prefer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lunmapd.core.map.file_base import FileBase
    from lunmapd.service.ctl.files.map_file import MapFile

file_option = click.option(
    "-f",
    "--file",
    "file",
    type=click.File("r", encoding="utf-8"),
    help="The whole map, as YAML; - for standard input.",
)


class Basis(Struct, frozen=True):
    """The options of `apply` about the base of its file.

    `revision` is a base to use in place of the file's; a file of a part stays one. With `replaces` none is
    used: the file replaces the map, and undoes what others committed.
    """

    revision: int | None
    prefer: Prefer | None
    replaces: bool

    def of(self, file: MapFile) -> FileBase | None:
        """Return the base to use with a file; None for none.

        Raises UsageError if a file of a part would replace the whole map.
        """
        if self.replaces:
            if file.base is not None and file.base.only:
                message = f"{file.name} has only {file.base.only}: --replace would remove all the rest"
                raise click.UsageError(f"{message}; leave it out, or make the file from 'lunmapctl get'")
            return None
        if self.revision is None:
            return file.base
        from lunmapd.core.map.file_base import FileBase

        return FileBase(self.revision, only=file.base.only if file.base else "")


def basis_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options about the base of a file; the command receives them as `basis`."""

    @click.option(
        "--base",
        type=click.IntRange(min=0),
        metavar="N",
        help="The revision that FILE was made from, in place of the one in its first line.",
    )
    @click.option(
        "--mine",
        "prefer",
        flag_value=Prefer.MINE.value,
        help="Fields that others changed since, and FILE differently: commit FILE's values.",
    )
    @click.option(
        "--theirs",
        "prefer",
        flag_value=Prefer.THEIRS.value,
        help="Such fields: keep the values of the others.",
    )
    @click.option(
        "--replace", is_flag=True, help="Replace the map by FILE, even if that undoes what others committed."
    )
    @functools.wraps(command)
    def wrapped(*args: object, base: int | None, prefer: str | None, replace: bool, **rest: object) -> None:
        if replace and (base is not None or prefer):
            raise click.UsageError("--replace uses no base: leave out --base, --mine and --theirs")
        command(*args, basis=Basis(base, Prefer(prefer) if prefer else None, replace), **rest)

    return wrapped
