"""`lunmapctl secret`: the CHAP passwords of the map, and the keys that seal them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from msgspec import Struct
from msgspec.json import encode
from msgspec.json import format as indent

from lunmapd.client import Client, Lunmap, Note
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.base.password import Secret
from lunmapd.core.map import credentials
from lunmapd.core.secrets.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    Keyring,
    SecretError,
    UnfitPasswordError,
    Vault,
    check_password,
    warn_password,
)
from lunmapd.service import keyfile, settings
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.secret_keys import check_nodes, echo_listing, list_secrets


class Desk(Struct, frozen=True):
    """What the verbs work with."""

    connection: Connection
    key_file: Path

    def keys(self) -> Keyring:
        """Read the keys."""
        return keyfile.read_keys(self.key_file)


force_option = click.option("--force", is_flag=True, help="Even if live nodes lack the key.")
mutual_option = click.option("--mutual", is_flag=True, help="What the target proves, not what it asks for.")
user_option = click.option("--user", required=True, help="The CHAP user name.")


@click.group()
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    envvar="LUNMAPCTL_KEY_FILE",
    help="The key file.  [default: as the settings say]",
)
@click.pass_context
def secret(context: click.Context, key_file: Path | None) -> None:
    """Set CHAP passwords and look after the keys that seal them.

    Passwords are read from the terminal or from standard input, never from arguments.
    """
    connection: Connection = context.obj
    context.obj = Desk(connection, key_file or _configured(connection.config))


def _configured(config: Path) -> Path:
    try:
        return Path(settings.load(config).key_file)
    except settings.SettingsUnreadableError:
        return keyfile.DEFAULT_PATH


@secret.command("new-key")
@click.pass_obj
def new_key(desk: Desk) -> None:
    """Make a new key, the current one from now on, in the key file of this machine."""
    key = keyfile.add_key(desk.key_file, os.urandom(KEY_BYTES))
    click.echo(f"key {key} is now the current one of {desk.key_file}")
    click.echo("copy this file to every node and admin machine, then use 'lunmapctl secret rotate'")


@secret.command("set")
@click.argument("initiator")
@user_option
@mutual_option
@force_option
@click.pass_obj
def set_initiator(desk: Desk, initiator: str, user: str, *, mutual: bool, force: bool) -> None:
    """Set user and password of INITIATOR."""
    field = credentials.MUTUAL if mutual else credentials.CHAP
    _set(desk, credentials.initiator_path(initiator), field, user, force=force)


@secret.command("set-discovery")
@click.argument("node")
@user_option
@mutual_option
@force_option
@click.pass_obj
def set_discovery(desk: Desk, node: str, user: str, *, mutual: bool, force: bool) -> None:
    """Set user and password that discovery on NODE asks for."""
    field = credentials.DISCOVERY_MUTUAL if mutual else credentials.DISCOVERY_CHAP
    _set(desk, credentials.node_path(node), field, user, force=force)


def _set(desk: Desk, path: str, field: str, user: str, *, force: bool) -> None:
    keys = desk.keys()
    current, password = keys.current, _read_password()
    with desk.connection.client() as client:
        vault = Vault(client.read().cluster, keys)
        check_nodes(client, current, force=force)
        sealed = vault.seal(path, field, password, os.urandom(NONCE_BYTES))

        def put(lunmap: Lunmap) -> Lunmap:
            after = credentials.put(lunmap, path, field, Chap(user, sealed))
            _check_pair(after, vault, path, password)
            return after

        _edit(client, put, f"set {field} of {path}")


def _read_password() -> Secret:
    if sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    password = Secret(text)
    if sentence := check_password(password):
        raise UnfitPasswordError(sentence)
    if sentence := warn_password(password):
        click.echo(f"lunmapctl: warning: {sentence}", err=True)
    return password


def _check_pair(lunmap: Lunmap, vault: Vault, path: str, password: Secret) -> None:
    """Refuse one password for both ways (RFC 7143, section 12.1.3): an initiator could answer with the target's own."""
    same = 0
    for where, field, chap in credentials.all_credentials(lunmap):
        if where == path and _opened(vault, where, field, chap) == password:
            same += 1
    if same > 1:
        raise UnfitPasswordError("the passwords for the two ways must differ")


def _opened(vault: Vault, path: str, field: str, chap: Chap) -> Secret | None:
    try:
        return vault.open(path, field, chap.password)
    except SecretError:
        return None


@secret.command()
@click.argument("name")
@click.option("--mutual", is_flag=True, help="Only what the target proves.")
@click.option("--discovery", is_flag=True, help="NAME is a node: discovery there.")
@click.pass_obj
def clear(desk: Desk, name: str, *, mutual: bool, discovery: bool) -> None:
    """Remove the credentials of the initiator NAME."""
    if discovery:
        path, fields = credentials.node_path(name), (credentials.DISCOVERY_MUTUAL, credentials.DISCOVERY_CHAP)
    else:
        path, fields = credentials.initiator_path(name), (credentials.MUTUAL, credentials.CHAP)

    def cleared(lunmap: Lunmap) -> Lunmap:
        for field in fields[:1] if mutual else fields:
            lunmap = credentials.put(lunmap, path, field, None)
        return lunmap

    with desk.connection.client() as client:
        _edit(client, cleared, f"clear the secrets of {path}")


@secret.command()
@force_option
@click.pass_obj
def rotate(desk: Desk, *, force: bool) -> None:
    """Seal every secret with the current key, so that older keys can be removed from the key files."""
    keys = desk.keys()
    with desk.connection.client() as client:
        vault = Vault(client.read().cluster, keys)
        check_nodes(client, keys.current, force=force)
        _edit(
            client,
            lambda lunmap: credentials.rotate(lunmap, vault, os.urandom),
            f"seal every secret with key {keys.current}",
        )


@secret.command("list")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def list_all(desk: Desk, output: str) -> None:
    """List which key seals what, and who has the keys."""
    with desk.connection.client() as client:
        listing = list_secrets(client, desk.keys())
    if output == "json":
        click.echo(indent(encode(listing)))
    else:
        echo_listing(listing)


def _edit(client: Client, change: Callable[[Lunmap], Lunmap], message: str) -> None:
    made = client.edit(change, Note(message))
    click.echo(f"committed revision {made.revision}" if made is not None else "nothing to change")
