"""`lunmapctl lun`: create, change, grow, rename and delete Luns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lunmapd.core.base.backings import PLUGINS, Backing, Plugin, backing_of, plugin_of
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Access, AluaState, Lun, Lunmap
from lunmapd.core.base.text import exact_size, human_size
from lunmapd.service.ctl.commit.permissions import REBACKING, REUSE_LUN, SHRINK
from lunmapd.service.ctl.edits.options import How, commit_edit, commit_fields, edit_options
from lunmapd.service.ctl.edits.shared import shared_choice, shared_option
from lunmapd.service.ctl.start.lazy import is_planning
from lunmapd.service.output import echo, echo_paragraphs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lunmapd.client import Client
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.service.ctl.connection import Connection

_KINDS = {plugin.saved_name: plugin for plugin in PLUGINS.values()}


def _read_size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Return the bytes of a size such as 64GiB."""
    if value is None:
        return None
    from lunmapd.core.map.mapfile import parse_size

    try:
        return parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None


@click.group()
def lun_verbs() -> None:
    """Create, change and delete Luns."""


@lun_verbs.command("create")
@click.argument("name")
@click.argument("path", required=False, default="")
@click.option("--type", "kind", type=click.Choice(list(_KINDS)), default="block", show_default=True)
@click.option("--size", callback=_read_size, help="Such as 64GiB; of a device the least that it must have.")
@click.option("--on", default="", metavar="NODE,...", help="The nodes.  [default: all of its targets]")
@click.option(
    "--preferred",
    default="",
    metavar="NODE[,NODE]...",
    help="The node whose paths hosts should use; of several, the first that can.",
)
@click.option(
    "--others",
    type=click.Choice([each.value for each in AluaState]),
    default=AluaState.NON_OPTIMIZED.value,
    show_default=True,
    help="The ALUA state of its other paths.",
)
@click.option("--hook", default="", metavar="NAME", help="The program that promotes its storage: drbd.")
@click.option(
    "--target", default="", help="The target: its name, alias or last part.  [default: the only one]"
)
@click.option(
    "--to",
    "hosts",
    multiple=True,
    metavar="HOST[,LUN][,ro]",
    help="Map it to this host, or to group:NAME, as in --to host1,5,ro. Repeatable.",
)
@shared_option
@edit_options(REUSE_LUN)
@click.pass_obj
def _create(
    connection: Connection,
    name: str,
    path: str,
    kind: str,
    size: int | None,
    on: str,
    preferred: str,
    others: str,
    hook: str,
    target: str,
    hosts: tuple[str, ...],
    shared: str | None,
    how: How,
) -> None:
    """Create the Lun NAME with a new serial.

    PATH is its device or file, or the configuration of a tcmu program. --to maps it. A Lun that exists
    already stays, if it is as asked for; maps that it lacks are added.
    """
    grants, backing = [_grant(word) for word in hosts], _backing(_KINDS[kind], path)

    def edit(lunmap: Lunmap, free: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.assign import read_preferred
        from lunmapd.core.edits.find import find_grantee, find_node, find_target
        from lunmapd.core.edits.luns import add_lun
        from lunmapd.core.edits.maps import AskedMap, map_lun, with_shared

        nodes = tuple(find_node(lunmap, each) for each in on.split(",")) if on else ()
        new = Lun(
            backing,
            size=size,
            nodes=nodes,
            preferred=read_preferred(preferred),
            others=AluaState(others),
            hook=hook,
            shared=shared_choice(shared),
        )
        lunmap = add_lun(lunmap, name, new)
        for word, number, access in grants:
            asked = AskedMap(find_grantee(lunmap, word), find_target(lunmap, target), number, access)
            lunmap = map_lun(lunmap, name, asked, free)
        return with_shared(lunmap, name, None)

    commit_edit(connection, edit, how)


def _backing(plugin: Plugin, source: str) -> Backing:
    if plugin is _KINDS["ramdisk"]:
        if source:
            raise click.UsageError("a ramdisk has no PATH")
    elif not source:
        raise click.UsageError(f"a {plugin.saved_name} Lun needs a PATH")
    return backing_of(plugin, source)


def _grant(word: str) -> tuple[str, int | None, Access | None]:
    """Return the host of HOST[,LUN][,ro], with the number and the access that it names."""
    host, *rest = word.split(",")
    number: int | None = None
    access: Access | None = None
    for each in rest:
        if each.isascii() and each.isdigit():
            number = int(each)
        elif each in {"ro", "rw"}:
            access = Access(each)
        else:
            from lunmapd.core.edits.errors import BadAssignmentError

            raise BadAssignmentError(
                f"{word!r} is no HOST[,LUN][,ro]: {each!r} is neither a number, ro nor rw"
            )
    return host, number, access


@lun_verbs.command("set")
@click.argument("name")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options(SHRINK, REBACKING)
@click.pass_obj
def _set(connection: Connection, name: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of the Lun NAME.

    They are those of a map file, such as preferred=n2 or shared.reservations=off. An empty VALUE gives a
    field its default.
    """
    commit_fields(connection, "luns", name, fields, how)


@lun_verbs.command("grow")
@click.argument("name")
@click.argument("size", callback=_read_size, required=False)
@edit_options()
@click.pass_obj
def _grow(connection: Connection, name: str, size: int | None, how: How) -> None:
    """Make the Lun NAME larger, or show its sizes.

    Grow the file or device on every node first, then give its SIZE here, such as 20G. The size of a device
    needs no commit: without SIZE that of each node is shown, and what the hosts have to do. With --wait every
    live node must have the same size in that time, at least SIZE, else the exit code is 6; without SIZE, more
    than the map has for this device, and the new size is committed.
    """
    if how.wait is not None and size is None:
        with connection.client() as client:
            size = _wait_grown(client, name, how.wait)

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.luns import resize_lun

        return resize_lun(lunmap, name, size)

    commit_edit(connection, edit, how)
    if how.output == "json" or how.dry_run or is_planning():
        return
    from lunmapd.core.map.short_names import short_names
    from lunmapd.service.ctl.text.hosts.host_lines import resize_commands

    with connection.client() as client:
        sizes = client.wait_sizes(name, size or 0, how.wait or 0.0)
        lunmap = client.read().lunmap
    duties = () if size else resize_commands(lunmap, name, short_names(lunmap))
    lacking = lacking_sizes(sizes, size or 0)
    echo("")
    echo_paragraphs(_size_lines(name, sizes), () if how.wait is not None else lacking, *duties)
    if how.wait is not None and lacking:
        raise NotGrownError(lacking)


def _wait_grown(client: Client, word: str, seconds: float) -> int:
    """Return the size in bytes that each node has of a device once it is larger than that in the map.

    Without a size in the map it is unknown whether nodes report the former size or the new one. Raises
    UsageError, and NotGrownError.
    """
    from lunmapd.core.edits.find import find_lun

    lunmap = client.read().lunmap
    name = find_lun(lunmap, word)
    lun = lunmap.luns[name]
    if plugin_of(lun.backing).sized or lun.size is None:
        why = "the map has no former one to compare with" if lun.size is None else "it is in the map"
        raise click.UsageError(f"--wait needs the new SIZE of {name}: {why}")
    sizes = client.wait_sizes(name, lun.size + 1, seconds)
    if lacking := grown_too_little(name, sizes, lun.size):
        raise NotGrownError(lacking)
    return min(sizes.values())


def grown_too_little(name: str, sizes: Mapping[str, int], former: int) -> tuple[str, ...]:
    """Return what lacks at the nodes until each has the same size in bytes, which is more than `former`."""
    if not sizes:
        return (f"no live node reports {name}",)
    if 0 < max(sizes.values()) <= former:
        return tuple(
            f"{node} has {exact_size(size)}, no more than before: grow the device there"
            for node, size in sizes.items()
        )
    return lacking_sizes(sizes, former + 1)


class NotGrownError(LunmapdError):
    """Some nodes have not the new size of a Lun; `lacking` has a sentence for each."""

    exit_code = Exit.DEGRADED

    def __init__(self, lacking: tuple[str, ...]) -> None:
        self.lacking = lacking
        super().__init__("; ".join(lacking))

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences, one a line."""
        return self.lacking


def _size_lines(name: str, sizes: Mapping[str, int]) -> list[str]:
    from lunmapd.service.table import table

    if not sizes:
        return [f"no live node reports {name}"]
    return table(
        ("NODE", "SIZE"), [(node, human_size(size) if size else "-") for node, size in sizes.items()]
    )


def lacking_sizes(sizes: Mapping[str, int], least: int) -> tuple[str, ...]:
    """Return what lacks at the nodes that have less than the others, or than `least`; 0 is no report."""
    largest = max(least, *sizes.values(), 0)
    return tuple(
        f"{node} has {exact_size(size)} and not {exact_size(largest)}: grow the file or device there"
        if size
        else f"{node} reports no size: see 'lunmapctl status'"
        for node, size in sizes.items()
        if size < largest
    )


@lun_verbs.command("rename")
@click.argument("old")
@click.argument("new")
@edit_options()
@click.pass_obj
def _rename(connection: Connection, old: str, new: str, how: How) -> None:
    """Rename the Lun OLD to NEW.

    Its serial and maps stay. Every node makes its storage object anew, so hosts lose all paths for a moment:
    'plan' shows which.
    """

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.luns import rename_lun

        return rename_lun(lunmap, old, new)

    commit_edit(connection, edit, how)


@lun_verbs.command("delete")
@click.argument("name")
@click.option("--unmap", is_flag=True, help="Also if it is mapped.")
@edit_options(can_empty=True)
@click.pass_obj
def _delete(connection: Connection, name: str, unmap: bool, how: How) -> None:
    """Delete the Lun NAME; its data stay."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.luns import drop_lun

        return drop_lun(lunmap, name, unmap=unmap)

    commit_edit(connection, edit, how, ("luns", name))
