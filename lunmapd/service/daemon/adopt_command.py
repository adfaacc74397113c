"""The command line of `lunmapd adopt`."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from lunmapd.core.base.errors import Exit
from lunmapd.service.cli import examples_text
from lunmapd.service.daemon.settings_source import SettingsSource
from lunmapd.service.output import echo

_PATH = click.Path(path_type=Path)


_EXAMPLES = (
    "adopt > map.yaml",
    "adopt --from saveconfig.json --node n1",
    "adopt --check --from saveconfig.json --map map.yaml --node n1",
)


@click.command("adopt", epilog=examples_text("lunmapd", _EXAMPLES))
@click.option("--from", "file", type=_PATH, help="Read a saveconfig.json, not LIO. Needs no settings file.")
@click.option("--node", help="With --from: the name of its node.  [default: that of the settings or machine]")
@click.option("--seal", is_flag=True, help="Put CHAP passwords in, sealed with this node's key.")
@click.option("--check", is_flag=True, help="Compare with the map in ZooKeeper; exit 6 if anything differs.")
@click.option("--map", "map_file", type=_PATH, help="With --from and --check: compare with this map file.")
@click.option("--take", is_flag=True, help="Take over what runs, if nothing differs. Stop the daemon first.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="The map's form.",
)
@click.pass_obj
def adopt_command(source: SettingsSource, /, **options: Any) -> None:
    """Print the map of what another tool has made in LIO on this node, with what can't be taken over and why.

    Commit it, prove it with --check, and take it over with --take: no session is dropped. Exit 6 if no target
    can be taken over: then no map is printed.
    """
    given = AdoptOptions(**options)
    given.refuse_unfit()
    sys.exit(_run(source, given))


class AdoptOptions(NamedTuple):
    """The options of the command."""

    file: Path | None
    node: str | None
    seal: bool
    check: bool
    map_file: Path | None
    take: bool
    output: str

    def refuse_unfit(self) -> None:
        """Refuse an option that would be ignored beside the others. Raises click.UsageError."""
        if self.take and self.file:
            raise click.UsageError("--take takes over what runs here: omit --from")
        if self.take and self.check:
            raise click.UsageError("--take checks by itself: omit --check")
        if self.seal and (self.take or self.check):
            raise click.UsageError("--seal is for the map that is printed: omit --check and --take")
        if self.map_file and not (self.file and self.check):
            raise click.UsageError("--map is for --from with --check")
        if self.node and (self.file is None or (self.check and self.map_file is None)):
            raise click.UsageError("--node is for --from, without --check or with --map")


def _run(source: SettingsSource, given: AdoptOptions) -> Exit:
    from lunmapd.service.daemon import adoption  # noqa: PLC0415 - the daemon has no use for it, nor for rtslib

    file = given.file
    if given.take:
        checked = adoption.take_over(source.load())
    elif given.check and file and given.map_file:
        checked = adoption.check_offline(file, given.map_file, given.node or source.node())
    elif given.check:
        checked = adoption.check_adoption(source.load(), file)
    else:
        node = given.node or (source.node() if file else source.load().node)
        made = adoption.draft_map(file, node, source.load() if given.seal else None)
        echo(*adoption.format_draft(made, given.output))
        return Exit.OK if made.lunmap.targets else Exit.DEGRADED
    adoption.print_check(checked, taken=given.take, file=file is not None)
    return Exit.DEGRADED if checked.blocking else Exit.OK
