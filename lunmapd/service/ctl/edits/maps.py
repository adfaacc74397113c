"""`lunmapctl map` and `unmap`: who sees a Lun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lunmapd.service.ctl.commit.permissions import REUSE_LUN
from lunmapd.service.ctl.edits.options import How, commit_edit, edit_options
from lunmapd.service.ctl.edits.shared import shared_choice, shared_option

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.service.ctl.connection import Connection


@click.command("map")
@click.argument("name", metavar="LUN")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("--lun", "number", type=int, help="The LUN number.  [default: one that the hosts never had]")
@click.option("--ro", "access", flag_value="ro", help="Read-only.")
@click.option("--rw", "access", flag_value="rw", help="With writes, which is the default of a new map.")
@click.option(
    "--target",
    default="",
    help="The target.  [default: that of the host's map of the Lun, of the Lun's maps, or the only one]",
)
@shared_option
@edit_options(REUSE_LUN)
@click.pass_obj
def map_verb(
    connection: Connection,
    name: str,
    hosts: tuple[str, ...],
    number: int | None,
    access: str | None,
    target: str,
    shared: str | None,
    how: How,
) -> None:
    """Let each HOST see LUN. HOST is a name, an alias, the part after the last colon, or group:NAME.

    A host that sees the Lun already gets the access of --ro or --rw.
    """

    def edit(lunmap: Lunmap, free: FreeNumbers) -> Lunmap:
        from lunmapd.core.base.lunmap import Access
        from lunmapd.core.edits.find import find_grantee, find_lun
        from lunmapd.core.edits.maps import AskedMap, find_map_target, map_lun, with_shared

        lun, wanted = find_lun(lunmap, name), None if access is None else Access(access)
        for host in hosts:
            grantee = find_grantee(lunmap, host)
            through = find_map_target(lunmap, lun, grantee, target)
            lunmap = map_lun(lunmap, lun, AskedMap(grantee, through, number, wanted), free)
        return with_shared(lunmap, lun, shared_choice(shared))

    commit_edit(connection, edit, how)


@click.command("unmap")
@click.argument("name", metavar="LUN")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--all", "everybody", is_flag=True, help="From every host and group.")
@click.option("--target", default="", help="Only through this target.  [default: through all]")
@edit_options()
@click.pass_obj
def unmap_verb(
    connection: Connection, name: str, hosts: tuple[str, ...], everybody: bool, target: str, how: How
) -> None:
    """Take LUN from each HOST, or with --all from everybody. Remove its device there first, as is shown."""
    if everybody == bool(hosts):
        raise click.UsageError("name the hosts, or use --all")

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.find import find_grantee, find_lun, find_target
        from lunmapd.core.edits.maps import unmap_lun

        lun, through = find_lun(lunmap, name), find_target(lunmap, target) if target else ""
        if everybody:
            return unmap_lun(lunmap, lun, None, through)
        for host in hosts:
            lunmap = unmap_lun(lunmap, lun, find_grantee(lunmap, host), through)
        return lunmap

    commit_edit(connection, edit, how)
