"""Comparing a foreign configuration with a map. Pure."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct, structs

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.complete import complete
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.in_place import is_in_place
from lunmapd.core.base.lunmap import Lunmap, nodes_of
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import CHAP, DISCOVERY_CHAP
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import PassInput, compare
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault, keyring

# In place of the passwords of initiators and of targets, which must differ.
_PASSWORD, _ANSWER = Secret("a password not compared"), Secret("an answer not compared")
_NO_VAULT = Vault("", keyring([bytes(32)]))


class AdoptionCheck(Struct, frozen=True):
    """The differences between a foreign configuration and a map.

    `wanted` are the objects of the map. `blocking` are the differences that prevent taking over, `settings`
    those that taking over sets in place (in_place.py), both as sentences.
    """

    found: ForeignConfiguration
    wanted: lio_objects.DesiredObjects
    blocking: tuple[str, ...]
    settings: tuple[str, ...]


def check_found(found: ForeignConfiguration, given: PassInput, features: AbstractSet[str]) -> AdoptionCheck:
    """Compare the found configuration, as if lunmapd had made it, with the part of the map of its targets.

    `features` are those of the node's kernel.
    """
    foreign = {tpg.iqn for tpg in found.tpgs}
    given = structs.replace(given, lunmap=_only(given.lunmap, given.node, foreign))
    # Which object of the other tool is which of ours depends on what is desired.
    desired = compare(given, Observed(features=features)).desire.objects
    comparison = compare(given, Observed(as_ours(found, desired), features=features))
    want, steps = comparison.desire, comparison.steps
    blocking = [str(step) for step in steps if not is_in_place(step, desired)]
    blocking += [
        f"{lio_objects.show_key(name)}: {failure.message}" for name, failure in want.failures.items()
    ]
    refused = adopt(found, given.node).refused
    served = foreign & given.lunmap.targets.keys()
    blocking += [f"{iqn}: {refused[iqn]}" for iqn in sorted(served & refused.keys())]
    settings = tuple(str(step) for step in steps if is_in_place(step, desired))
    return AdoptionCheck(found, want.objects, tuple(blocking), settings)


def check_saved(found: ForeignConfiguration, given: PassInput) -> AdoptionCheck:
    """Compare a saveconfig.json with a map, as `check_found` does.

    The file has no port ids, so the kernel counts as one without them. Each target of the file that the node
    does not serve by the map is a difference.
    """
    checked = check_found(found, given, frozenset())
    not_served = _not_served(found, given.lunmap, given.node)
    return structs.replace(checked, blocking=(*checked.blocking, *not_served))


def check_files(found: ForeignConfiguration, lunmap: Lunmap, node: str) -> AdoptionCheck:
    """Compare a saveconfig.json with a map file, as `check_saved` does.

    A map file has no passwords, or sealed ones, so only the users are compared.
    """
    given = PassInput(node, 0, complete(lunmap, _sealed), {}, _NO_VAULT)
    return check_saved(_without_passwords(found), given)


def _not_served(found: ForeignConfiguration, lunmap: Lunmap, node: str) -> Iterator[str]:
    for iqn in sorted({tpg.iqn for tpg in found.tpgs}):
        if iqn not in lunmap.targets or node not in nodes_of(lunmap.targets[iqn]):
            yield f"target {iqn}: by the map node {node} does not serve it"


def _only(lunmap: Lunmap, node: str, targets: set[str]) -> Lunmap:
    """Return the part of the map with those of the targets that the node serves, and their Luns."""
    kept = {iqn: item for iqn, item in lunmap.targets.items() if iqn in targets and node in nodes_of(item)}
    luns = {
        name: structs.replace(lun, maps=tuple(entry for entry in lun.maps if entry.target in kept))
        for name, lun in lunmap.luns.items()
    }
    return structs.replace(lunmap, targets=kept, luns={name: lun for name, lun in luns.items() if lun.maps})


def _sealed(path: str, field: str) -> str:
    secret = _PASSWORD if field in {CHAP, DISCOVERY_CHAP} else _ANSWER
    return _NO_VAULT.seal(path, field, secret, bytes(NONCE_BYTES))


def _without_passwords(found: ForeignConfiguration) -> ForeignConfiguration:
    tpgs = tuple(
        structs.replace(
            tpg,
            acls=tuple(
                structs.replace(acl, credentials=_with_any_password(acl.credentials)) for acl in tpg.acls
            ),
        )
        for tpg in found.tpgs
    )
    discovery = found.discovery and _with_any_password(found.discovery)
    return structs.replace(found, tpgs=tpgs, discovery=discovery)


def _with_any_password(credentials: lio_objects.ChapCredentials) -> lio_objects.ChapCredentials:
    no = lio_objects.NO_CREDENTIALS
    return lio_objects.ChapCredentials(
        credentials.userid,
        _PASSWORD if credentials.userid else no.password,
        credentials.userid_mutual,
        _ANSWER if credentials.userid_mutual else no.password_mutual,
    )
