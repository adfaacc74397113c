"""Where a map has CHAP credentials, and how all of them are changed at once; pure."""

from collections.abc import Callable, Iterator

from msgspec import structs

from lunmapd.core.lunmap import Chap, Discovery, Initiator, Lunmap, Node
from lunmapd.core.secrets import NONCE_BYTES, Vault

Change = Callable[[str, str, Chap], Chap]
"""Gets path, field and credentials, gives the new credentials."""

CHAP, MUTUAL = "chap", "mutual_chap"
DISCOVERY_CHAP, DISCOVERY_MUTUAL = f"discovery.{CHAP}", f"discovery.{MUTUAL}"


def initiator_path(iqn: str) -> str:
    """Return the path to which the secrets of an initiator are bound."""
    return f"initiators/{iqn}"


def node_path(name: str) -> str:
    """Return the path to which the secrets of a node are bound."""
    return f"nodes/{name}"


def all_credentials(lunmap: Lunmap) -> Iterator[tuple[str, str, Chap]]:
    """Yield path, field and credentials, in the order of the map."""
    found: list[tuple[str, str, Chap]] = []

    def note(path: str, field: str, chap: Chap) -> Chap:
        found.append((path, field, chap))
        return chap

    change_credentials(lunmap, note)
    yield from found


def change_credentials(lunmap: Lunmap, change: Change) -> Lunmap:
    """Return the map with all credentials changed."""
    initiators = {iqn: _initiator(iqn, item, change) for iqn, item in lunmap.initiators.items()}
    nodes = {name: _node(name, item, change) for name, item in lunmap.nodes.items()}
    return structs.replace(lunmap, initiators=initiators, nodes=nodes)


def _initiator(iqn: str, item: Initiator, change: Change) -> Initiator:
    if item.chap is None and item.mutual_chap is None:
        return item
    path = initiator_path(iqn)
    return structs.replace(
        item,
        chap=item.chap and change(path, CHAP, item.chap),
        mutual_chap=item.mutual_chap and change(path, MUTUAL, item.mutual_chap),
    )


def _node(name: str, item: Node, change: Change) -> Node:
    if item.discovery is None:
        return item
    path, mutual = node_path(name), item.discovery.mutual_chap
    discovery = Discovery(
        change(path, DISCOVERY_CHAP, item.discovery.chap), mutual and change(path, DISCOVERY_MUTUAL, mutual)
    )
    return structs.replace(item, discovery=discovery)


def with_passwords(after: Lunmap, before: Lunmap) -> Lunmap:
    """Return `after` with the passwords that `before` has where `after` leaves them out."""
    known = {(path, field): chap.password for path, field, chap in all_credentials(before)}

    def keep(path: str, field: str, chap: Chap) -> Chap:
        return structs.replace(chap, password=chap.password or known.get((path, field), ""))

    return change_credentials(after, keep)


def rotate(lunmap: Lunmap, vault: Vault, new_nonce: Callable[[int], bytes]) -> Lunmap:
    """Return the map with every secret sealed with the current key; those that are already stay as they are.

    `new_nonce` gives as many random bytes as it is asked for. Raises SecretError for a secret that can't be opened.
    """

    def reseal(path: str, field: str, chap: Chap) -> Chap:
        if chap.password.startswith(f"v1:{vault.keyring.current}:"):
            return chap
        secret = vault.open(path, field, chap.password)
        return structs.replace(chap, password=vault.seal(path, field, secret, new_nonce(NONCE_BYTES)))

    return change_credentials(lunmap, reseal)
