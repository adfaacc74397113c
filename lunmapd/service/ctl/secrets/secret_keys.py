"""The key of each secret, and the nodes that have each key."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lunmapd.client import Client
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.map import credentials
from lunmapd.core.secrets.sealing import Keyring, SecretError, sealed_with
from lunmapd.service import keyfile
from lunmapd.service.output import echo_paragraphs
from lunmapd.service.table import table

if TYPE_CHECKING:
    from lunmapd.client import Fleet


class KeyMissingError(LunmapdError):
    """Live nodes lack the key, so they could not open secrets that are sealed with it."""

    exit_code = Exit.DEGRADED


def configured_key_file(config: Path) -> Path:
    """Return the key file of the settings file, the default one if there are no settings."""
    from lunmapd.service import settings

    try:
        return Path(settings.load_settings(config).key_file)
    except settings.SettingsUnreadableError:
        return keyfile.DEFAULT_KEY_FILE


class SecretLine(Struct, frozen=True):
    """One secret in `secret list`."""

    object: str
    field: str
    user: str
    key: str


class KeyLine(Struct, frozen=True):
    """One key in `secret list`: whether this machine has it (`here`), and the live nodes that have it."""

    key: str
    here: bool
    current: bool
    nodes: list[str]


class Listing(Struct, frozen=True):
    """The JSON of `secret list`."""

    secrets: list[SecretLine]
    keys: list[KeyLine]


def list_secrets(client: Client, keys: Keyring) -> Listing:
    """Combine the secrets of the map with the keys of this machine and of the live nodes."""
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
    key_ids = dict.fromkeys([*keys.ids, *sorted(line.key for line in secrets if line.key)])
    return [
        KeyLine(
            key,
            key in keys.keys,
            key == next(iter(keys.ids), None),
            [name for name in nodes if key in nodes[name]],
        )
        for key in key_ids
    ]


def echo_listing(listing: Listing) -> None:
    """Print the secrets and the keys as tables."""
    rows = [(line.object, line.field, line.user, line.key or "-") for line in listing.secrets]
    secrets = table(("OBJECT", "FIELD", "USER", "KEY"), rows)
    state = {(True, True): "current", (True, False): "here", (False, False): "missing"}
    keys = [(line.key, state[line.here, line.current], ",".join(line.nodes) or "-") for line in listing.keys]
    echo_paragraphs(secrets, table(("KEY", "THIS MACHINE", "LIVE NODES"), keys))


def keys_of_live_nodes(fleet: "Fleet") -> dict[str, tuple[str, ...]]:
    """Return the key ids that each live node reports, by node name."""
    return {
        name: node.status.keys if node.status is not None else ()
        for name, node in fleet.nodes.items()
        if node.live is not None
    }


def check_key_on_nodes(client: Client, key: str, *, force: bool) -> None:
    """Check that every live node reports the key. Raises KeyMissingError unless `force` is set."""
    lacking = [name for name, keys in keys_of_live_nodes(client.fleet()).items() if key not in keys]
    if lacking and not force:
        raise KeyMissingError(
            f"key {key} is not on {', '.join(lacking)}: copy the key file there, and wait until "
            "'lunmapctl secret list' shows it"
        )
