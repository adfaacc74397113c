"""`lunmapctl secret`: the CHAP passwords of the map, and the keys that seal them."""

import functools
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Revision
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.base.text import first_of
from lunmapd.core.edits.passwords import (
    GivenPassword,
    PasswordTable,
    Sealer,
    import_passwords,
    put_password,
    read_password_table,
)
from lunmapd.core.map import credentials
from lunmapd.core.map.short_names import find_name
from lunmapd.core.secrets.sealing import KEY_BYTES, Keyring, Vault, warn_password
from lunmapd.service import keyfile
from lunmapd.service.ctl.commit.options import wait_option
from lunmapd.service.ctl.commit.waiting import remember_nodes, wait_for
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.secrets.options import PasswordSource, key_file_option, password_options
from lunmapd.service.ctl.secrets.password import obtained_password
from lunmapd.service.ctl.secrets.secret_keys import (
    check_key_on_nodes,
    configured_key_file,
    echo_listing,
    list_secrets,
)
from lunmapd.service.ctl.text.output import note_options
from lunmapd.service.output import echo, echo_json
from lunmapd.store.session.access_errors import CredentialsError
from lunmapd.store.session.secret_files import read_private


class SecretContext(Struct, frozen=True):
    """The connection and the key file of a verb."""

    connection: Connection
    key_file: Path

    def keys(self) -> Keyring:
        """Read the keys. Raises the errors of the key file."""
        return keyfile.read_keys(self.key_file)


_STDIN = Path("-")
_MAX_NAMED = 5
_MAX_TABLE = 1 << 24

force_option = click.option("--force", is_flag=True, help="Also if live nodes lack the key.")
mutual_option = click.option(
    "--mutual", is_flag=True, help="The credentials of the target (mutual CHAP), not those of the initiator."
)
user_option = click.option("--user", required=True, help="The CHAP user name.")


class _How(Struct, frozen=True):
    """How a change of secrets is committed."""

    note: Note
    wait: float | None


def commit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every verb here that commits; the command receives them as `how`."""

    @note_options
    @wait_option
    @functools.wraps(command)
    def wrapped(*args: object, note: Note, wait: float | None, **rest: object) -> None:
        command(*args, how=_How(note, wait), **rest)

    return wrapped


@click.group()
@key_file_option
@click.pass_context
def secret(context: click.Context, key_file: Path | None) -> None:
    """Set CHAP passwords and manage the keys that seal them.

    Passwords are read from the terminal or from standard input, never from arguments.
    """
    connection: Connection = context.obj
    context.obj = SecretContext(connection, key_file or configured_key_file(connection.config))


@secret.command("new-key")
@click.pass_obj
def new_key(context: SecretContext) -> None:
    """Add a key to the key file, as the current one."""
    key = keyfile.add_key(context.key_file, os.urandom(KEY_BYTES))
    echo(f"key {key} is now the current one of {context.key_file}")
    echo("copy this file to every node and admin machine, then run 'lunmapctl secret rotate'")


@secret.command("set")
@click.argument("initiator")
@user_option
@mutual_option
@force_option
@password_options
@commit_options
@click.pass_obj
def set_initiator(
    context: SecretContext,
    initiator: str,
    user: str,
    *,
    mutual: bool,
    force: bool,
    source: PasswordSource,
    how: _How,
) -> None:
    """Set the CHAP user and password of INITIATOR."""
    field = credentials.MUTUAL if mutual else credentials.CHAP
    _set(context, partial(_initiator_path, initiator), field, user, source, how, force=force)


def _initiator_path(word: str, lunmap: Lunmap) -> str:
    return credentials.initiator_path(find_name(word, lunmap.initiators) or word)


@secret.command("set-discovery")
@click.argument("node")
@user_option
@mutual_option
@force_option
@password_options
@commit_options
@click.pass_obj
def set_discovery(
    context: SecretContext,
    node: str,
    user: str,
    *,
    mutual: bool,
    force: bool,
    source: PasswordSource,
    how: _How,
) -> None:
    """Set the CHAP user and password of discovery on NODE."""
    field = credentials.DISCOVERY_MUTUAL if mutual else credentials.DISCOVERY_CHAP
    _set(context, lambda _: credentials.node_path(node), field, user, source, how, force=force)


def _set(
    context: SecretContext,
    place: Callable[[Lunmap], str],
    field: str,
    user: str,
    source: PasswordSource,
    how: _How,
    *,
    force: bool,
) -> None:
    keys = context.keys()
    current = keys.current
    with obtained_password(source) as password, context.connection.client() as client:
        now = client.read()
        path, given = place(now.lunmap), GivenPassword(field, user, password)
        sealer = Sealer(Vault(now.cluster, keys), os.urandom)
        check_key_on_nodes(client, current, force=force)
        _edit(
            client,
            lambda lunmap: put_password(lunmap, path, given, sealer),
            how,
            f"set {field} of {path}",
        )


@secret.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE.csv|-")
@force_option
@commit_options
@click.pass_obj
def import_table(context: SecretContext, file: Path, *, force: bool, how: _How) -> None:
    """Set the passwords of many hosts at once.

    The first line of FILE, which only its owner may read, is initiator,user,password; for mutual CHAP
    ,mutual_user,mutual_password follow. Each other line has these columns. If any line is wrong, all that are
    wrong are reported, and nothing is committed.
    """
    keys = context.keys()
    current, table = keys.current, _read_table(file)
    with context.connection.client() as client:
        sealer = Sealer(Vault(client.read().cluster, keys), os.urandom)
        check_key_on_nodes(client, current, force=force)
        _edit(
            client,
            lambda lunmap: import_passwords(lunmap, table, sealer),
            how,
            f"import the passwords of {len(table.rows)} initiators",
        )
    weak = [row.source for row in table.rows if any(warn_password(each.password) for each in row.passwords)]
    if weak:
        shown = first_of(weak, _MAX_NAMED)
        echo(f"lunmapctl: warning: {shown}: a CHAP password should have 12 to 16 letters", err=True)


def _read_table(file: Path) -> PasswordTable:
    """Read a table from a private file, or from standard input for -."""
    data = sys.stdin.buffer.read() if file == _STDIN else read_private(file, _MAX_TABLE)
    try:
        return read_password_table(data.decode("utf-8-sig"), "<stdin>" if file == _STDIN else str(file))
    except UnicodeDecodeError:
        raise CredentialsError(file, "it is not UTF-8 text") from None


@secret.command()
@click.argument("name")
@click.option("--mutual", is_flag=True, help="Only the credentials of the target (mutual CHAP).")
@click.option("--discovery", is_flag=True, help="NAME is a node; clear its discovery credentials.")
@commit_options
@click.pass_obj
def clear(context: SecretContext, name: str, *, mutual: bool, discovery: bool, how: _How) -> None:
    """Remove the CHAP credentials of the initiator NAME."""
    fields = (credentials.MUTUAL, credentials.CHAP)
    if discovery:
        fields = (credentials.DISCOVERY_MUTUAL, credentials.DISCOVERY_CHAP)

    def cleared(lunmap: Lunmap) -> Lunmap:
        path = credentials.node_path(name) if discovery else _initiator_path(name, lunmap)
        for field in fields[:1] if mutual else fields:
            lunmap = credentials.set_credentials(lunmap, path, field, None)
        return lunmap

    with context.connection.client() as client:
        _edit(client, cleared, how, f"clear the secrets of {name}")


@secret.command()
@force_option
@commit_options
@click.pass_obj
def rotate(context: SecretContext, *, force: bool, how: _How) -> None:
    """Seal every secret with the current key.

    Older keys can then leave the key files.
    """
    keys = context.keys()
    with context.connection.client() as client:
        vault = Vault(client.read().cluster, keys)
        check_key_on_nodes(client, keys.current, force=force)
        made = _commit(
            client,
            lambda lunmap: credentials.reseal_all(lunmap, vault, os.urandom),
            how,
            f"seal every secret with key {keys.current}",
        )
        wait_for(client, made, client.newest(), how.wait)


@secret.command("list")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def list_all(context: SecretContext, output: str) -> None:
    """List secrets, their keys, and who has these.

    These are the key of each secret, and the nodes that have each key.
    """
    with context.connection.client() as client:
        listing = list_secrets(client, context.keys())
    if output == "json":
        echo_json(listing)
    else:
        echo_listing(listing)


def _edit(client: Client, change: Callable[[Lunmap], Lunmap], how: _How, message: str) -> None:
    """Commit an edit of secrets, and print what the hosts whose passwords it changes have to do."""
    before = after = EMPTY_MAP

    def remembered(lunmap: Lunmap) -> Lunmap:
        nonlocal before, after
        before, after = lunmap, change(lunmap)
        return after

    made = _commit(client, remembered, how, message)
    if made is not None:
        from lunmapd.service.ctl.commit.steps import echo_duties

        echo_duties(before, after)
    wait_for(client, made, client.newest(), how.wait)


def _commit(client: Client, change: Callable[[Lunmap], Lunmap], how: _How, message: str) -> Revision | None:
    note = how.note if how.note.message else replace(how.note, message=message)
    remember_nodes(client, note, how.wait)
    made = client.edit(change, note)
    echo(f"committed revision {made.revision}" if made is not None else "nothing to change")
    return made
