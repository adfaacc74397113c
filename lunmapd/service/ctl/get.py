"""`lunmapctl get`: prints the map."""

from collections.abc import Callable

import click

from lunmapd.core.base.lunmap import SECTIONS, Lunmap, Section
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.files.map_file import base_at, map_text, select
from lunmapd.service.ctl.text import tables
from lunmapd.service.output import echo, echo_json, echo_paragraphs

_TABLES: dict[str, Callable[[Lunmap], list[str]]] = {
    "luns": tables.luns_table,
    "targets": tables.targets_table,
    "initiators": tables.initiators_table,
    "groups": tables.groups_table,
    "nodes": tables.nodes_table,
}


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
    """Print the whole map as a file for `apply`, one SECTION, or the object NAME of it.

    The first line (in JSON the key `base`) names the revision, for `apply`, which then keeps what others
    commit meanwhile. A file of a part of the map changes only that part.
    """
    with connection.client() as client:
        snapshot = client.read()
    for path, reason in snapshot.unreadable.items():
        echo(f"lunmapctl: warning: {path} can't be read: {reason}", err=True)
    selected = select(snapshot.lunmap, section, name)
    if output == "json":
        document: dict[str, object] = {"base": base_at(snapshot, section, name)}
        echo_json(document | {part: selected.section(part) for part in SECTIONS if section in {None, part}})
    elif section is not None and (output == "table" or (output is None and name is None)):
        echo(*_TABLES[section](selected))
    elif output == "table":
        echo_paragraphs(*(_TABLES[part](selected) for part in SECTIONS))
    else:
        echo(*map_text(snapshot, section, name).removesuffix("\n").split("\n"))
