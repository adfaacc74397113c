"""`lunmapctl get`: prints the map."""

from collections.abc import Callable

import click
import msgspec

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import SECTIONS, Lunmap, Section
from lunmapd.core.map import mapfile
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.text import tables
from lunmapd.service.output import echo, echo_json, echo_paragraphs

_TABLES: dict[str, Callable[[Lunmap], list[str]]] = {
    "luns": tables.luns_table,
    "targets": tables.targets_table,
    "initiators": tables.initiators_table,
    "groups": tables.groups_table,
    "nodes": tables.nodes_table,
}


class NotFoundError(LunmapdError):
    """The map has no such object."""


@click.command()
@click.argument("section", type=click.Choice(list(SECTIONS)), required=False)
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "yaml", "json"]),
    help="[default: a table for a section, else yaml]",
)
@click.pass_obj
def get(connection: Connection, section: Section | None, name: str | None, output: str | None) -> None:
    """Print the whole map as a file for `apply`, one SECTION, or the object NAME of it."""
    with connection.client() as client:
        snapshot = client.read()
    for path, reason in snapshot.unreadable.items():
        echo(f"lunmapctl: warning: {path} can't be read: {reason}", err=True)
    selected = _select(snapshot.lunmap, section, name)
    if output == "json":
        echo_json({part: selected.section(part) for part in SECTIONS if section in {None, part}})
    elif section is not None and (output == "table" or (output is None and name is None)):
        echo(*_TABLES[section](selected))
    elif output == "table":
        echo_paragraphs(*(_TABLES[part](selected) for part in SECTIONS))
    else:
        shown = mapfile.show_map(selected, (section,) if section else tuple(SECTIONS))
        echo(*shown.removesuffix("\n").split("\n"))


def _select(lunmap: Lunmap, section: Section | None, name: str | None) -> Lunmap:
    if section is None or name is None:
        return lunmap
    members = lunmap.section(section)
    if name not in members:
        raise NotFoundError(
            f"the map has no {name!r} among its {section}; 'lunmapctl get {section}' lists them"
        )
    return msgspec.structs.replace(lunmap, **{section: {name: members[name]}})
