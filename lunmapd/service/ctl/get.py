"""`lunmapctl get`: prints the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lunmapd.core.base.sections import SECTION_NAMES
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.service.ctl.files.sections import full_name, section_and_name, section_argument
from lunmapd.service.ctl.text.layout import full_names_option, layout_of, names_for
from lunmapd.service.output import echo, echo_json, echo_paragraphs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lunmapd.client import Client, Snapshot
    from lunmapd.core.base.sections import Section
    from lunmapd.service.ctl.connection import Connection
    from lunmapd.service.table import Layout, Table

_EXPORTS = ("csv", "markdown", "name")
_LISTS = ("table", "wide", *_EXPORTS)


@click.command()
@section_argument
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice([*_LISTS, "yaml", "json"]),
    help="[default: a table for a section, else yaml]",
)
@click.option("--sort", metavar="COLUMN", help="Order the rows by this column; -COLUMN reverses them.")
@full_names_option
@click.pass_obj
def get(
    connection: Connection,
    section: str | None,
    name: str | None,
    output: str | None,
    sort: str | None,
    full_names: bool,
) -> None:
    """Print the whole map as a file for `apply`, one SECTION, or the object NAME of it.

    The first line (in JSON the key `base`) names the revision, for `apply`, which then keeps what others
    commit meanwhile. A file of a part of the map changes only that part.

    A table on a terminal fits its width; `-o wide`, files and pipes have all columns, with names in full.
    SIZE is what the nodes report. `-o csv` has sizes in bytes, `-o name` one object a line.
    """
    section, name = section_and_name(section, name)
    output = output or ("table" if section is not None and (name is None or sort) else "yaml")
    _check_table(section, output, sort)
    with connection.client() as client:
        from lunmapd.core.map.short_names import FULL_NAMES
        from lunmapd.service.ctl.files.map_text import base_at, map_text, select
        from lunmapd.service.ctl.text.rollout_lines import rollout_note
        from lunmapd.service.ctl.text.tables import TABLES

        fleet = client.fleet() if output in _LISTS and section in {None, "luns"} else None
        snapshot = _read(client, section, name, output) if fleet is None else fleet.snapshot
    for path, reason in snapshot.unreadable.items():
        echo(f"lunmapctl: warning: {path} can't be read: {reason}", err=True)
    echo(*rollout_note(snapshot), err=True)
    name = full_name(snapshot.lunmap, section, name)
    selected = select(snapshot.lunmap, section, name)
    sections: tuple[Section, ...] = SECTION_NAMES if section is None else (section,)
    if output in _LISTS:
        layout = layout_of(output, full_names=full_names)
        names = FULL_NAMES if output in _EXPORTS else names_for(snapshot.lunmap, layout)
        sizes = {} if fleet is None else fleet.lun_sizes()
        tables = {part: TABLES[part](selected, sizes, names) for part in sections}
        _echo_tables({part: _sorted(each, sort) for part, each in tables.items()}, output, layout)
    elif output == "json":
        document: dict[str, object] = {"base": base_at(snapshot, section, name)}
        echo_json(document | {part: selected.section(part) for part in sections})
    else:
        echo(*map_text(snapshot, section, name).removesuffix("\n").split("\n"))


def _read(client: Client, section: Section | None, name: str | None, output: str) -> Snapshot:
    """Read the map; of one object that is not for a table only the object."""
    if section is None or name is None or output in _LISTS:
        return client.read()
    return client.read_object(section, name)


def _check_table(section: Section | None, output: str, sort: str | None) -> None:
    """Raise UsageError for options that need the table of one section."""
    if section is None and (sort or output == "csv"):
        raise click.UsageError(
            f"name a SECTION with {'--sort' if sort else '-o csv'}: {', '.join(SECTION_NAMES)}"
        )
    if output not in _LISTS and sort:
        raise click.UsageError(f"--sort orders tables, and -o {output} is none: leave one of them out")


def _sorted(table: Table, sort: str | None) -> Table:
    """Return a table in the order that `--sort` asks for. Raises UsageError."""
    if sort is None:
        return table
    name = sort.removeprefix("-").upper()
    columns = [column.name for column in table.columns]
    if name not in columns:
        choices = ", ".join(column.lower() for column in columns)
        hint = suggestion(nearest(name, columns).lower())
        raise click.UsageError(f"there is no column {name.lower()!r}{hint} The columns: {choices}")
    return table.sorted_by(columns.index(name), descending=sort.startswith("-"))


def _echo_tables(tables: Mapping[Section, Table], output: str, layout: Layout) -> None:
    if output == "name":
        paths = (f"{section}/{name}" for section, table in tables.items() for name in table.first_cells())
        echo(*paths)
    elif output == "csv":
        echo(*(line for table in tables.values() for line in table.csv()))
    elif output == "markdown":
        echo_paragraphs(*(table.markdown() for table in tables.values()))
    else:
        echo_paragraphs(*(table.lines(layout) for table in tables.values()))
