"""`lunmapctl host` and `group`: initiators, and those with the same Luns."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from lunmapd.service.ctl.commit.permissions import REUSE_LUN
from lunmapd.service.ctl.edits.options import EditMap, How, commit_edit, commit_fields, edit_options
from lunmapd.service.ctl.secrets.options import PasswordSource, key_file_option, password_options
from lunmapd.service.ctl.start.lazy import is_planning

if TYPE_CHECKING:
    from pathlib import Path

    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.core.edits.passwords import Sealer
    from lunmapd.service.ctl.connection import Connection

unmap_option = click.option("--unmap", is_flag=True, help="Also if hosts see Luns by it.")


@click.group()
def host_verbs() -> None:
    """Add, change, rename and remove hosts (initiators)."""


@host_verbs.command("add")
@click.argument("iqns", nargs=-1, required=True, metavar="IQN...")
@click.option("--alias", default="", help="A name for people.")
@click.option("--group", "groups", multiple=True, help="Also add it to this group. Repeatable.")
@click.option("--chap", "user", default="", metavar="USER", help="Give it this CHAP user and a password.")
@password_options
@key_file_option
@edit_options(REUSE_LUN)
@click.pass_obj
def _add(
    connection: Connection,
    iqns: tuple[str, ...],
    alias: str,
    groups: tuple[str, ...],
    user: str,
    source: PasswordSource,
    key_file: Path | None,
    how: How,
) -> None:
    """Add hosts with these iSCSI names. A single - reads them from standard input.

    With --chap the password is asked for, or read from standard input, unless an option names another source.
    """
    names = _words(iqns)
    if (alias or user) and len(names) > 1:
        raise click.UsageError("--alias and --chap are for one host: name one, or leave them out")
    if source and not user:
        raise click.UsageError("add --chap USER, whose password it is")

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.base.lunmap import Initiator
        from lunmapd.core.edits.hosts import add_host

        for iqn in names:
            lunmap = add_host(lunmap, iqn, Initiator(alias), groups)
        return lunmap

    if not user:
        commit_edit(connection, edit, how)
        return
    from lunmapd.core.edits.passwords import GivenPassword, add_password
    from lunmapd.core.map.credentials import CHAP
    from lunmapd.service.ctl.secrets.password import obtained_password

    sealer = _sealer(connection, key_file)
    with obtained_password(source, is_trial=how.dry_run or is_planning()) as password:
        given = GivenPassword(CHAP, user, password)
        commit_edit(
            connection, lambda lunmap, free: add_password(edit(lunmap, free), names[0], given, sealer), how
        )


def _sealer(connection: Connection, key_file: Path | None) -> Sealer:
    """Return the sealer with the key of this machine, which all live nodes have. Raises KeyMissingError."""
    from lunmapd.core.edits.passwords import Sealer
    from lunmapd.core.secrets.sealing import Vault
    from lunmapd.service.ctl.secrets.secret_keys import check_key_on_nodes, configured_key_file
    from lunmapd.service.keyfile import read_keys

    keys = read_keys(key_file or configured_key_file(connection.config))
    current = keys.current
    with connection.client() as client:
        check_key_on_nodes(client, current, force=False)
        return Sealer(Vault(client.read().cluster, keys), os.urandom)


@host_verbs.command("set")
@click.argument("host")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options()
@click.pass_obj
def _set(connection: Connection, host: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of HOST.

    They are those of a map file, such as alias=db1.
    """
    commit_fields(connection, "initiators", host, fields, how)


@host_verbs.command("rename")
@click.argument("old")
@click.argument("new", metavar="IQN")
@key_file_option
@edit_options(REUSE_LUN)
@click.pass_obj
def _rename(connection: Connection, old: str, new: str, key_file: Path | None, how: How) -> None:
    """Give the host OLD the iSCSI name IQN.

    Its maps, groups and passwords stay, under the new name. Passwords are sealed again, which needs the key
    file.
    """
    with connection.client() as client:
        cluster = client.read().cluster
    edit = _renaming(connection, cluster, old, new, key_file)
    commit_edit(connection, edit, how)


def _renaming(connection: Connection, cluster: str, old: str, new: str, key_file: Path | None) -> EditMap:
    """Return the edit; the keys are read only for a host with passwords."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.hosts import rename_host
        from lunmapd.core.map.credentials import rebind_secrets
        from lunmapd.core.map.short_names import find_name
        from lunmapd.core.secrets.sealing import Vault
        from lunmapd.service.ctl.secrets.secret_keys import configured_key_file
        from lunmapd.service.keyfile import read_keys

        iqn = find_name(old, lunmap.initiators)
        host = lunmap.initiators.get(iqn)
        if host is None or (host.chap is None and host.mutual_chap is None):
            return rename_host(lunmap, old, new)
        keys = read_keys(key_file or configured_key_file(connection.config))
        return rename_host(lunmap, old, new, rebind_secrets(host, iqn, new, Vault(cluster, keys), os.urandom))

    return edit


@host_verbs.command("remove")
@click.argument("host")
@unmap_option
@edit_options(can_empty=True)
@click.pass_obj
def _remove(connection: Connection, host: str, unmap: bool, how: How) -> None:
    """Remove HOST; it can't log in any more."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.hosts import remove_host
        from lunmapd.core.map.short_names import find_name

        return remove_host(lunmap, find_name(host, lunmap.initiators) or host, unmap=unmap)

    commit_edit(connection, edit, how, ("initiators", host))


@click.group()
def group_verbs() -> None:
    """Create, change and delete groups of hosts with the same Luns."""


@group_verbs.command("create")
@click.argument("group")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--alias", default="", help="A name for people.")
@edit_options()
@click.pass_obj
def _create_group(connection: Connection, group: str, hosts: tuple[str, ...], alias: str, how: How) -> None:
    """Create GROUP with these hosts.

    A single - reads their names from standard input.
    """
    words = _words(hosts)

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.base.lunmap import Group
        from lunmapd.core.edits.find import find_host
        from lunmapd.core.edits.hosts import create_group

        members = tuple(dict.fromkeys(find_host(lunmap, word) for word in words))
        return create_group(lunmap, group, Group(members, alias))

    commit_edit(connection, edit, how)


@group_verbs.command("add")
@click.argument("group")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@edit_options(REUSE_LUN)
@click.pass_obj
def _add_members(connection: Connection, group: str, hosts: tuple[str, ...], how: How) -> None:
    """Add these hosts to GROUP.

    They see all its Luns. A single - reads their names from standard input.
    """
    _commit_members(connection, group, hosts, how, adds=True)


@group_verbs.command("remove")
@click.argument("group")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@edit_options()
@click.pass_obj
def _remove_members(connection: Connection, group: str, hosts: tuple[str, ...], how: How) -> None:
    """Take these hosts out of GROUP.

    They lose its Luns. A single - reads their names from standard input.
    """
    _commit_members(connection, group, hosts, how, adds=False)


def _commit_members(
    connection: Connection, group: str, hosts: tuple[str, ...], how: How, *, adds: bool
) -> None:
    """Add hosts to a group, or remove them."""
    words = _words(hosts)

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.find import find_host
        from lunmapd.core.edits.hosts import add_members, remove_members

        change = add_members if adds else remove_members
        return change(lunmap, group, [find_host(lunmap, word) for word in words])

    commit_edit(connection, edit, how)


@group_verbs.command("set")
@click.argument("group")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@edit_options(REUSE_LUN)
@click.pass_obj
def _set_group(connection: Connection, group: str, fields: tuple[str, ...], how: How) -> None:
    """Set fields of GROUP.

    They are those of a map file, such as alias=web.
    """
    commit_fields(connection, "groups", group, fields, how)


@group_verbs.command("delete")
@click.argument("group")
@unmap_option
@edit_options(can_empty=True)
@click.pass_obj
def _delete_group(connection: Connection, group: str, unmap: bool, how: How) -> None:
    """Delete GROUP; its hosts stay."""

    def edit(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
        from lunmapd.core.edits.hosts import delete_group

        return delete_group(lunmap, group, unmap=unmap)

    commit_edit(connection, edit, how, ("groups", group))


def _words(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hosts, those of standard input for a single -."""
    return tuple(sys.stdin.read().split()) if hosts == ("-",) else hosts
