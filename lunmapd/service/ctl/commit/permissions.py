"""The options that allow what a commit refuses. Each verb has those that its own edit can need."""

import functools
from collections.abc import Callable

import click
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client.note import Note


class EditPermission(Struct, frozen=True):
    """A permission: its option, the field of Note that it sets, and its help."""

    option: str
    field: str
    metavar: str
    help: str


SHRINK = EditPermission(
    "--shrink",
    "shrink",
    "LUN",
    "Allow this Lun to shrink: initiators lose the data at its end. Repeatable.",
)
REBACKING = EditPermission(
    "--rebacking",
    "rebacking",
    "LUN",
    "Allow this Lun another path or configuration while it is mapped: initiators get the data there and "
    "don't notice. Not needed if each node reports it as another name of what it has opened. Repeatable.",
)
REUSE_LUN = EditPermission(
    "--reuse-lun",
    "reuse_luns",
    "LUN",
    "Allow this Lun a LUN number that led a host to another Lun: a host that still has that device writes "
    "into this Lun. Repeatable.",
)
REUSE_ID = EditPermission(
    "--reuse-id",
    "reuse_ids",
    "NODE",
    "Allow this node a port id or TPG tag that another target or node had. Repeatable.",
)
EVERY_PERMISSION = (SHRINK, REBACKING, REUSE_LUN, REUSE_ID)
"""Those of a verb that can change anything."""


def permission_options(
    *permissions: EditPermission,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds these options; the command receives them in its `note`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(*args: object, note: Note, **rest: object) -> None:
            given = {each.field: rest.pop(each.field) for each in permissions}
            command(*args, note=replace(note, **given), **rest)

        for each in reversed(permissions):
            option = click.option(
                each.option, each.field, multiple=True, metavar=each.metavar, help=each.help
            )
            wrapped = option(wrapped)
        return wrapped

    return decorate
