"""`lunmapctl secret`: the CHAP passwords of the map, and the keys that seal them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from msgspec import Struct

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
from lunmapd.service import keyfile
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.secret_keys import (
    check_key_on_nodes,
    configured_key_file,
    echo_listing,
    key_file_option,
    list_secrets,
)
from lunmapd.service.ctl.text.output import committing
from lunmapd.service.output import echo, echo_json


class SecretContext(Struct, frozen=True):
    """The connection and the key file of a verb."""

    connection: Connection
    key_file: Path

    def keys(self) -> Keyring:
        """Read the keys. Raises the errors of the key file."""
        return keyfile.read_keys(self.key_file)


force_option = click.option("--force", is_flag=True, help="Also if live nodes lack the key.")
mutual_option = click.option(
    "--mutual", is_flag=True, help="The credentials of the target (mutual CHAP), not those of the initiator."
)
user_option = click.option("--user", required=True, help="The CHAP user name.")


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
    """Add a new key to this machine's key file and make it the current one."""
    key = keyfile.add_key(context.key_file, os.urandom(KEY_BYTES))
    echo(f"key {key} is now the current one of {context.key_file}")
    echo("copy this file to every node and admin machine, then run 'lunmapctl secret rotate'")


@secret.command("set")
@click.argument("initiator")
@user_option
@mutual_option
@force_option
@click.pass_obj
def set_initiator(context: SecretContext, initiator: str, user: str, *, mutual: bool, force: bool) -> None:
    """Set the CHAP user and password of INITIATOR."""
    field = credentials.MUTUAL if mutual else credentials.CHAP
    _set(context, credentials.initiator_path(initiator), field, user, force=force)


@secret.command("set-discovery")
@click.argument("node")
@user_option
@mutual_option
@force_option
@click.pass_obj
def set_discovery(context: SecretContext, node: str, user: str, *, mutual: bool, force: bool) -> None:
    """Set the CHAP user and password of discovery on NODE."""
    field = credentials.DISCOVERY_MUTUAL if mutual else credentials.DISCOVERY_CHAP
    _set(context, credentials.node_path(node), field, user, force=force)


def _set(context: SecretContext, path: str, field: str, user: str, *, force: bool) -> None:
    keys = context.keys()
    current, password = keys.current, _read_password()
    with context.connection.client() as client:
        vault = Vault(client.read().cluster, keys)
        check_key_on_nodes(client, current, force=force)
        sealed = vault.seal(path, field, password, os.urandom(NONCE_BYTES))

        def put(lunmap: Lunmap) -> Lunmap:
            after = credentials.set_credentials(lunmap, path, field, Chap(user, sealed))
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
        echo(f"lunmapctl: warning: {sentence}", err=True)
    return password


def _check_pair(lunmap: Lunmap, vault: Vault, path: str, password: Secret) -> None:
    """Refuse one password for both directions: a peer could reflect the challenge (RFC 7143, 12.1.3)."""
    same = sum(
        place == path and _opened(vault, place, field, chap) == password
        for place, field, chap in credentials.all_credentials(lunmap)
    )
    if same > 1:
        raise UnfitPasswordError("the passwords of the two directions must differ")


def _opened(vault: Vault, path: str, field: str, chap: Chap) -> Secret | None:
    try:
        return vault.open(path, field, chap.password)
    except SecretError:
        return None


@secret.command()
@click.argument("name")
@click.option("--mutual", is_flag=True, help="Only the credentials of the target (mutual CHAP).")
@click.option("--discovery", is_flag=True, help="NAME is a node; clear its discovery credentials.")
@click.pass_obj
def clear(context: SecretContext, name: str, *, mutual: bool, discovery: bool) -> None:
    """Remove the CHAP credentials of the initiator NAME."""
    if discovery:
        path, fields = credentials.node_path(name), (credentials.DISCOVERY_MUTUAL, credentials.DISCOVERY_CHAP)
    else:
        path, fields = credentials.initiator_path(name), (credentials.MUTUAL, credentials.CHAP)

    def cleared(lunmap: Lunmap) -> Lunmap:
        for field in fields[:1] if mutual else fields:
            lunmap = credentials.set_credentials(lunmap, path, field, None)
        return lunmap

    with context.connection.client() as client:
        _edit(client, cleared, f"clear the secrets of {path}")


@secret.command()
@force_option
@click.pass_obj
def rotate(context: SecretContext, *, force: bool) -> None:
    """Seal every secret with the current key; older keys can then leave the key files."""
    keys = context.keys()
    with context.connection.client() as client:
        vault = Vault(client.read().cluster, keys)
        check_key_on_nodes(client, keys.current, force=force)
        _edit(
            client,
            lambda lunmap: credentials.reseal_all(lunmap, vault, os.urandom),
            f"seal every secret with key {keys.current}",
        )


@secret.command("list")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def list_all(context: SecretContext, output: str) -> None:
    """List the key of each secret, and the nodes that have each key."""
    with context.connection.client() as client:
        listing = list_secrets(client, context.keys())
    if output == "json":
        echo_json(listing)
    else:
        echo_listing(listing)


def _edit(client: Client, change: Callable[[Lunmap], Lunmap], message: str) -> None:
    with committing():
        made = client.edit(change, Note(message))
    echo(f"committed revision {made.revision}" if made is not None else "nothing to change")
