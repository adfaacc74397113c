"""The CHAP credentials of a map: where they are, and how to change all of them at once. Pure."""

from collections.abc import Callable, Iterator, Mapping

from msgspec import structs

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import Chap, Discovery, Document, Initiator, Lunmap, Node
from lunmapd.core.history.changes import split_path
from lunmapd.core.secrets.sealing import NONCE_BYTES, SecretError, Vault

CredentialChange = Callable[[str, str, Chap], Chap]
"""Takes path, field and credentials; returns the new credentials."""

CHAP, MUTUAL = "chap", "mutual_chap"
DISCOVERY_CHAP, DISCOVERY_MUTUAL = f"discovery.{CHAP}", f"discovery.{MUTUAL}"


class NoSuchObjectError(LunmapdError):
    """The map has no such initiator or node."""


class NoFirstPasswordError(LunmapdError):
    """A mutual password was given for an initiator or node that has no first one."""


class NotOpenedError(LunmapdError):
    """A secret can't be opened, so it can't be resealed; the text names its place."""


def initiator_path(iqn: str) -> str:
    """Return the path that the secrets of an initiator are bound to."""
    return f"initiators/{iqn}"


def node_path(name: str) -> str:
    """Return the path that the secrets of a node are bound to."""
    return f"nodes/{name}"


def set_credentials(lunmap: Lunmap, path: str, field: str, chap: Chap | None) -> Lunmap:
    """Return the map with the credentials of `path` and `field` set, or removed (None).

    Raises NoSuchObjectError, NoFirstPasswordError.
    """
    section, name = split_path(path)
    item = lunmap.section(section).get(name)
    if isinstance(item, Node):
        new: Document = structs.replace(item, discovery=_discovery(path, item.discovery, field, chap))
    elif isinstance(item, Initiator):
        new = structs.replace(item, **{field: chap})
    else:
        raise NoSuchObjectError(f"there is no {path} in the map: add it first, as by 'lunmapctl host add'")
    return structs.replace(lunmap, **{section: {**lunmap.section(section), name: new}})


def _discovery(path: str, before: Discovery | None, field: str, chap: Chap | None) -> Discovery | None:
    if field == DISCOVERY_CHAP:
        return None if chap is None else Discovery(chap, before.mutual_chap if before else None)
    if before is not None:
        return Discovery(before.chap, chap)
    if chap is None:
        return None
    raise NoFirstPasswordError(f"discovery on {path} asks for no password yet: set that one first")


def all_credentials(lunmap: Lunmap) -> Iterator[tuple[str, str, Chap]]:
    """Yield path, field and credentials of all that the map has, in its order."""
    credentials: list[tuple[str, str, Chap]] = []

    def note(path: str, field: str, chap: Chap) -> Chap:
        credentials.append((path, field, chap))
        return chap

    change_credentials(lunmap, note)
    yield from credentials


def credentials_at(lunmap: Lunmap, path: str) -> Mapping[str, Chap]:
    """Return the credentials of an initiator or a node by field; none if it is not in the map."""
    section, name = split_path(path)
    item = lunmap.section(section).get(name)
    alone = Lunmap() if item is None else structs.replace(Lunmap(), **{section: {name: item}})
    return {field: chap for _, field, chap in all_credentials(alone)}


def change_credentials(lunmap: Lunmap, change: CredentialChange) -> Lunmap:
    """Return the map with `change` applied to all credentials."""
    initiators = {iqn: _initiator(iqn, item, change) for iqn, item in lunmap.initiators.items()}
    nodes = {name: _node(name, item, change) for name, item in lunmap.nodes.items()}
    return structs.replace(lunmap, initiators=initiators, nodes=nodes)


def _initiator(iqn: str, item: Initiator, change: CredentialChange) -> Initiator:
    if item.chap is None and item.mutual_chap is None:
        return item
    path = initiator_path(iqn)
    return structs.replace(
        item,
        chap=item.chap and change(path, CHAP, item.chap),
        mutual_chap=item.mutual_chap and change(path, MUTUAL, item.mutual_chap),
    )


def _node(name: str, item: Node, change: CredentialChange) -> Node:
    if item.discovery is None:
        return item
    path, mutual = node_path(name), item.discovery.mutual_chap
    discovery = Discovery(
        change(path, DISCOVERY_CHAP, item.discovery.chap), mutual and change(path, DISCOVERY_MUTUAL, mutual)
    )
    return structs.replace(item, discovery=discovery)


def with_passwords(after: Lunmap, before: Lunmap) -> Lunmap:
    """Return `after` with the passwords of `before` for those that `after` omits."""
    passwords = {(path, field): chap.password for path, field, chap in all_credentials(before)}

    def keep(path: str, field: str, chap: Chap) -> Chap:
        return structs.replace(chap, password=chap.password or passwords.get((path, field), ""))

    return change_credentials(after, keep)


def reseal_all(lunmap: Lunmap, vault: Vault, new_nonce: Callable[[int], bytes]) -> Lunmap:
    """Return the map with every secret sealed with the current key.

    A secret that is sealed with it already is not resealed. `new_nonce(count)` returns so many random bytes.
    Raises NotOpenedError.
    """

    def reseal(path: str, field: str, chap: Chap) -> Chap:
        if chap.password.startswith(f"v1:{vault.keyring.current}:"):
            return chap
        try:
            secret = vault.open(path, field, chap.password)
        except SecretError as error:
            raise NotOpenedError(f"{path}, {field}: {error}") from error
        return structs.replace(chap, password=vault.seal(path, field, secret, new_nonce(NONCE_BYTES)))

    return change_credentials(lunmap, reseal)


def rebind_secrets(
    initiator: Initiator, old: str, new: str, vault: Vault, new_nonce: Callable[[int], bytes]
) -> Initiator:
    """Return an initiator whose secrets are sealed for the name `new` in place of `old`.

    `new_nonce(count)` returns so many random bytes. Raises NotOpenedError.
    """

    def rebind(path: str, field: str, chap: Chap) -> Chap:
        try:
            secret = vault.open(path, field, chap.password)
        except SecretError as error:
            raise NotOpenedError(f"{path}, {field}: {error}") from error
        sealed = vault.seal(initiator_path(new), field, secret, new_nonce(NONCE_BYTES))
        return structs.replace(chap, password=sealed)

    return _initiator(old, initiator, rebind)
