"""The verbs that read the history: log, show, diff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import click

from lunmapd.clock import rfc3339
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.duration import duration
from lunmapd.service.ctl.files.sections import object_path
from lunmapd.service.ctl.text.layout import full_names_option, table_options
from lunmapd.service.output import echo, echo_json, echo_painted
from lunmapd.service.table import Layout, terminal_layout

if TYPE_CHECKING:
    from lunmapd.client import Client, Difference
    from lunmapd.core.map.short_names import ShortNames
    from lunmapd.service.ctl.connection import Connection

_LONGEST = 3650 * 86400  # seconds


def parse_span(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> tuple[int, int | None]:
    """Parse a span of revisions: `3..7` or `3 7`, or `3..` for all since revision 3. Raises BadParameter."""
    text = "..".join(words)
    older, _dots, newer = text.partition("..")
    if older.isdecimal() and (newer.isdecimal() or not newer):
        return int(older), int(newer) if newer else None
    raise click.BadParameter(
        f"{text!r} is not a span of revisions: use 3..7, or 3.. for all since revision 3"
    )


def _parse_since(context: click.Context, option: click.Parameter, value: str | None) -> str:
    """Return a time as revisions have it, but for the Z at its end, "" for any; without a zone it is UTC."""
    if value is None:
        return ""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.now(UTC) - timedelta(seconds=duration(1, _LONGEST)(context, option, value) or 0)
    utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return rfc3339(utc, "auto").removesuffix("Z")


@click.command()
@click.option(
    "-n",
    "limit",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="Maximum number of revisions.",
)
@click.option(
    "--object", "path", metavar="PATH", help="Only revisions that changed this object, such as luns/db1."
)
@click.option(
    "--since",
    callback=_parse_since,
    metavar="TIME",
    help="Only revisions since this time (2026-01-31T12:00:00Z, 2026-01-31) or so long ago (10m, 2h, 7d).",
)
@click.option("--author", help="Only revisions of this author, with or without the part after the @.")
@table_options
@click.pass_obj
def log(
    connection: Connection,
    limit: int,
    path: str | None,
    since: str,
    author: str | None,
    output: str,
    layout: Layout,
) -> None:
    """List the revisions, newest first.

    Their times are those of the machines that committed them, in UTC.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.text.differences import log_table, revision_report

        if path is not None:
            path = object_path(client.read().lunmap, path)
        # Times are compared as text; those of two machines need not be in order.
        found = (
            each
            for each in client.log(path)
            if each.time.removesuffix("Z") >= since
            and author in {None, each.author, each.author.partition("@")[0]}
        )
        revisions = list(islice(found, limit))
    if not revisions and (path or since or author):
        wanted = f"changed {path}" if path else "fits --since and --author"
        echo(f"lunmapctl: none of the kept revisions {wanted}", err=True)
    if output == "json":
        echo_json([revision_report(revision) for revision in revisions])
    else:
        echo(*log_table(revisions).lines(layout))


def parse_revision(_: click.Context, __: click.Parameter, word: str) -> int:
    """Parse the number of a revision. Raises click.BadParameter."""
    if word.isdecimal() and int(word):
        return int(word)
    raise click.BadParameter(
        f"{word!r} is not a revision: use its number; 'lunmapctl log --object {word}' has those of an object"
    )


@click.command()
@click.argument("revision", callback=parse_revision)
@output_option
@full_names_option
@click.pass_obj
def show(connection: Connection, revision: int, output: str, full_names: bool) -> None:
    """Show author, time, message and changes of REVISION, field by field."""
    with connection.client() as client:
        from lunmapd.core.history.fields import differences
        from lunmapd.service.ctl.text.differences import revision_lines, revision_report

        shown = client.revision(revision)
        names = _names_for(client, differences(shown.changes), output, full_names=full_names)
    if output == "json":
        echo_json(revision_report(shown))
    else:
        echo_painted(*revision_lines(shown, names))


@click.command()
@click.argument("span", metavar="A..B", nargs=-1, required=True, callback=parse_span)
@output_option
@full_names_option
@click.pass_obj
def diff(connection: Connection, span: tuple[int, int | None], output: str, full_names: bool) -> None:
    """Show the changes from revision A to B, or from A to the newest (A..), field by field."""
    with connection.client() as client:
        from lunmapd.core.history.fields import differences
        from lunmapd.service.ctl.text.differences import difference_lines

        changed = differences(client.diff(*span))
        names = _names_for(client, changed, output, full_names=full_names)
    if output == "json":
        echo_json(changed)
    else:
        echo_painted(*difference_lines(changed, whole=True, names=names))


def _names_for(
    client: Client, changed: tuple[Difference, ...], output: str, *, full_names: bool
) -> ShortNames:
    """Return the names to use in changes: the short ones on a terminal, as in tables."""
    from lunmapd.core.map.short_names import FULL_NAMES
    from lunmapd.service.ctl.text.differences import names_for_changes

    if output == "json" or terminal_layout(full_names=full_names).full_names:
        return FULL_NAMES
    return names_for_changes(changed, client.read().lunmap)
