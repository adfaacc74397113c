"""With which CHAP credentials an initiator may log in to a node: the secrets of the map, opened for its objects."""

from msgspec import structs

from lunmapd.core.base.lunmap import Authentication, Chap, Initiator, Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.map import credentials
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.secrets.sealing import SecretError, UnfitPasswordError, Vault, check_password

_Failures = dict[lio_objects.Key, Failure]


def add_credentials(
    objects: lio_objects.Objects, observed: lio_objects.Objects, lunmap: Lunmap, node: str, vault: Vault
) -> tuple[dict[lio_objects.Key, lio_objects.Object], _Failures]:
    """Return the objects with the credentials of their ACLs and of discovery, and what can't have them.

    Where a secret can't be opened, the ACL stays as it is observed, or is not made, and nothing else is concerned.
    """
    found, failures = dict(objects), _Failures()
    for name, item in objects.items():
        if not isinstance(item, lio_objects.NodeAcl | lio_objects.DiscoveryAuth):
            continue
        try:
            known = _credentials_of(item, lunmap, node, vault)
        except SecretError as error:
            failures[name] = Failure(
                Reason.SECRET_UNFIT if isinstance(error, UnfitPasswordError) else Reason.SECRET_UNDECODABLE,
                str(error),
            )
            _keep_observed(found, observed, name)
        else:
            if known != lio_objects.NO_CREDENTIALS:
                found[name] = structs.replace(item, credentials=known)
    return _without_children(found, failures), failures


def _keep_observed(
    found: dict[lio_objects.Key, lio_objects.Object], observed: lio_objects.Objects, name: lio_objects.Key
) -> None:
    if name in observed:
        found[name] = observed[name]
    else:
        del found[name]


def _without_children(
    found: dict[lio_objects.Key, lio_objects.Object], failures: _Failures
) -> dict[lio_objects.Key, lio_objects.Object]:
    """Leave out, as waiting, what stands on an ACL that can't be made."""
    missing = failures.keys() - found.keys()
    if not missing:
        return found
    for name, item in found.items():
        if cause := next((parent for parent in lio_objects.parents_of(item) if parent in missing), None):
            failures[name] = Failure(Reason.WAITING, f"waits for {lio_objects.show_key(cause)}")
    return {name: item for name, item in found.items() if missing.isdisjoint(lio_objects.parents_of(item))}


def _credentials_of(
    item: lio_objects.NodeAcl | lio_objects.DiscoveryAuth, lunmap: Lunmap, node: str, vault: Vault
) -> lio_objects.ChapCredentials:
    if isinstance(item, lio_objects.NodeAcl) and item.tag != lunmap.nodes[node].tpg_tag:
        return lio_objects.NO_CREDENTIALS  # nobody logs in to a TPG that stands for another node's
    if isinstance(item, lio_objects.NodeAcl):
        initiator = lunmap.initiators.get(item.initiator, Initiator())
        return _initiator_credentials(
            vault, item.initiator, initiator, lunmap.targets[item.iqn].authentication
        )
    discovery = lunmap.nodes[node].discovery
    assert discovery is not None, "project() asks for it where there is one"
    fields = (credentials.DISCOVERY_CHAP, credentials.DISCOVERY_MUTUAL)
    return _open_pair(vault, credentials.node_path(node), fields, discovery.chap, discovery.mutual_chap)


def _initiator_credentials(
    vault: Vault, iqn: str, initiator: Initiator, authentication: Authentication
) -> lio_objects.ChapCredentials:
    """Open what the target asks for. One that asks for nothing still takes CHAP, from initiators that offer it."""
    path, fields = credentials.initiator_path(iqn), (credentials.CHAP, credentials.MUTUAL)
    # LIO lets nobody in who does not ask it for its own password, once it has one.
    mutual = initiator.mutual_chap if authentication is Authentication.MUTUAL_CHAP else None
    try:
        return _open_pair(vault, path, fields, initiator.chap, mutual)
    except SecretError:
        if authentication is Authentication.NONE:
            return lio_objects.NO_CREDENTIALS
        raise


def _open_pair(
    vault: Vault, path: str, fields: tuple[str, str], chap: Chap | None, mutual: Chap | None
) -> lio_objects.ChapCredentials:
    if chap is None:
        return lio_objects.NO_CREDENTIALS
    password = _open_password(vault, path, fields[0], chap)
    if mutual is None:
        return lio_objects.ChapCredentials(chap.user, password)
    answer = _open_password(vault, path, fields[1], mutual)
    if answer == password:
        raise UnfitPasswordError("the passwords for the two ways must differ: set one of them again")
    return lio_objects.ChapCredentials(chap.user, password, mutual.user, answer)


def _open_password(vault: Vault, path: str, field: str, chap: Chap) -> Secret:
    password = vault.open(path, field, chap.password)
    if sentence := check_password(password):
        raise UnfitPasswordError(f"{sentence}: set it again")
    return password
