"""Which key seals what, and which nodes have it."""

import click
from msgspec import Struct

from lunmapd.client import Client, Fleet
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.map import credentials
from lunmapd.core.secrets.sealing import Keyring, SecretError, sealed_with
from lunmapd.service.ctl.tables import table


class KeyMissingError(LunmapdError):
    """Live nodes lack the key, so they could not open what is sealed with it."""

    exit_code = Exit.DEGRADED


class SecretLine(Struct, frozen=True):
    """What `secret list` says of one secret."""

    object: str
    field: str
    user: str
    key: str


class KeyLine(Struct, frozen=True):
    """What `secret list` says of one key: whether it is here, and which live nodes have it."""

    key: str
    here: bool
    current: bool
    nodes: list[str]


class Listing(Struct, frozen=True):
    """What `secret list -o json` prints."""

    secrets: list[SecretLine]
    keys: list[KeyLine]


def list_secrets(client: Client, keys: Keyring) -> Listing:
    """Bring together what the map, this machine and the live nodes have."""
    fleet = client.fleet()
    nodes = keys_of_live_nodes(fleet)
    secrets = [
        SecretLine(path, field, chap.user, _key_of(chap))
        for path, field, chap in credentials.all_credentials(fleet.snapshot.lunmap)
    ]
    return Listing(secrets, _key_lines(secrets, keys, nodes))


def _key_of(chap: Chap) -> str:
    try:
        return sealed_with(chap.password)
    except SecretError:
        return ""


def _key_lines(secrets: list[SecretLine], keys: Keyring, nodes: dict[str, tuple[str, ...]]) -> list[KeyLine]:
    known = dict.fromkeys([*keys.ids, *sorted(line.key for line in secrets if line.key)])
    return [
        KeyLine(
            key,
            key in keys.keys,
            key == next(iter(keys.ids), None),
            [name for name in nodes if key in nodes[name]],
        )
        for key in known
    ]


def echo_listing(listing: Listing) -> None:
    """Print the secrets and the keys as tables."""
    rows = [(line.object, line.field, line.user, line.key or "-") for line in listing.secrets]
    click.echo(table(("OBJECT", "FIELD", "USER", "KEY"), rows))
    state = {(True, True): "current", (True, False): "here", (False, False): "missing"}
    keys = [(line.key, state[line.here, line.current], ",".join(line.nodes) or "-") for line in listing.keys]
    click.echo("\n" + table(("KEY", "THIS MACHINE", "LIVE NODES"), keys))


def keys_of_live_nodes(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """Return the ids of the keys that each live node reports."""
    return {
        name: node.status.keys if node.status is not None else ()
        for name, node in fleet.nodes.items()
        if node.live is not None
    }


def check_nodes(client: Client, key: str, *, force: bool) -> None:
    """Refuse to seal with a key that live nodes don't report. Raises KeyMissingError."""
    lacking = [name for name, keys in keys_of_live_nodes(client.fleet()).items() if key not in keys]
    if lacking and not force:
        raise KeyMissingError(
            f"key {key} is not on {', '.join(lacking)}: copy the key file there, and wait for 'lunmapctl secret list' to show it"
        )
