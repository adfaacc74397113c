"""CHAP credentials of ACLs and of discovery: the secrets of the map, opened for a node's objects."""

from msgspec import structs

from lunmapd.core.base.lunmap import Authentication, Chap, Initiator, Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.map import credentials
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.projection.project_target import own_tags
from lunmapd.core.secrets.sealing import SecretError, SecretOpener, UnfitPasswordError, check_password

_Failures = dict[lio_objects.Key, Failure]


def add_credentials(
    objects: lio_objects.DesiredObjects,
    observed: lio_objects.Objects,
    lunmap: Lunmap,
    node: str,
    vault: SecretOpener,
) -> tuple[dict[lio_objects.Key, lio_objects.DesiredObject], _Failures]:
    """Return the objects with credentials in their ACLs and DiscoveryAuth, and the failures, both by key.

    An object whose secret can't be opened stays as observed; if it is not observed, it is left out, and the
    objects that depend on it fail as waiting. Other objects are not affected.
    """
    result, failures = dict(objects), _Failures()
    for key, item in objects.items():
        if not isinstance(item, lio_objects.NodeAcl | lio_objects.DiscoveryAuth):
            continue
        try:
            chap = _credentials_of(item, lunmap, node, vault)
        except SecretError as error:
            failures[key] = Failure(
                Reason.SECRET_UNFIT if isinstance(error, UnfitPasswordError) else Reason.SECRET_UNDECODABLE,
                str(error),
            )
            _keep_observed(result, observed, key)
        else:
            if chap != lio_objects.NO_CREDENTIALS:
                result[key] = structs.replace(item, credentials=chap)
    return _without_children(result, failures), failures


def _keep_observed(
    result: dict[lio_objects.Key, lio_objects.DesiredObject],
    observed: lio_objects.Objects,
    key: lio_objects.Key,
) -> None:
    there = observed.get(key)
    if there is None or isinstance(there, lio_objects.Leftover):
        del result[key]
    elif isinstance(there, lio_objects.NodeAcl):
        result[key] = structs.replace(there, overrides_authentication=False)
    else:
        result[key] = there


def _without_children(
    result: dict[lio_objects.Key, lio_objects.DesiredObject], failures: _Failures
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Leave out the children of ACLs that are left out, and add their failures."""
    missing = failures.keys() - result.keys()
    if not missing:
        return result
    for key, item in result.items():
        if cause := next((parent for parent in lio_objects.parents_of(item) if parent in missing), None):
            failures[key] = Failure(Reason.WAITING, f"waits for {lio_objects.show_key(cause)}")
    return {key: item for key, item in result.items() if missing.isdisjoint(lio_objects.parents_of(item))}


def _credentials_of(
    item: lio_objects.NodeAcl | lio_objects.DiscoveryAuth, lunmap: Lunmap, node: str, vault: SecretOpener
) -> lio_objects.ChapCredentials:
    if isinstance(item, lio_objects.NodeAcl) and item.tag not in own_tags(
        lunmap, lunmap.targets[item.iqn], node
    ):
        return lio_objects.NO_CREDENTIALS  # no initiator can log in to a remote TPG
    if isinstance(item, lio_objects.NodeAcl):
        initiator = lunmap.initiators.get(item.initiator, Initiator())
        return _initiator_credentials(
            vault, item.initiator, initiator, lunmap.targets[item.iqn].authentication
        )
    discovery = lunmap.nodes[node].discovery
    assert discovery is not None, (
        "project_map() makes a DiscoveryAuth only if the node has discovery credentials"
    )
    fields = (credentials.DISCOVERY_CHAP, credentials.DISCOVERY_MUTUAL)
    return _open_pair(vault, credentials.node_path(node), fields, discovery.chap, discovery.mutual_chap)


def _initiator_credentials(
    vault: SecretOpener, iqn: str, initiator: Initiator, authentication: Authentication
) -> lio_objects.ChapCredentials:
    """Open the secrets that the target requires.

    A target that requires none still accepts CHAP from initiators that offer it, so a secret that can't be
    opened is no failure there.
    """
    path, fields = credentials.initiator_path(iqn), (credentials.CHAP, credentials.MUTUAL)
    # Once it has a mutual password, LIO refuses initiators that do not request mutual authentication.
    mutual = initiator.mutual_chap if authentication is Authentication.MUTUAL_CHAP else None
    try:
        return _open_pair(vault, path, fields, initiator.chap, mutual)
    except SecretError:
        if authentication is Authentication.NONE:
            return lio_objects.NO_CREDENTIALS
        raise


def _open_pair(
    vault: SecretOpener, path: str, fields: tuple[str, str], chap: Chap | None, mutual: Chap | None
) -> lio_objects.ChapCredentials:
    if chap is None:
        return lio_objects.NO_CREDENTIALS
    password = _open_password(vault, path, fields[0], chap)
    if mutual is None:
        return lio_objects.ChapCredentials(chap.user, password)
    answer = _open_password(vault, path, fields[1], mutual)
    if answer == password:
        raise UnfitPasswordError("the passwords of initiator and target must differ: set one of them again")
    return lio_objects.ChapCredentials(chap.user, password, mutual.user, answer)


def _open_password(vault: SecretOpener, path: str, field: str, chap: Chap) -> Secret:
    password = vault.open(path, field, chap.password)
    if sentence := check_password(password):
        raise UnfitPasswordError(f"{sentence}: set it again")
    return password
