"""The CHAP passwords of a foreign configuration, for the map that describes it. Pure."""

from lunmapd.core.adoption.foreign import ForeignConfiguration, own_tpgs
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import (
    CHAP,
    DISCOVERY_CHAP,
    DISCOVERY_MUTUAL,
    MUTUAL,
    initiator_path,
    node_path,
)


def passwords_of(foreign: ForeignConfiguration, lunmap: Lunmap, node: str) -> dict[tuple[str, str], Secret]:
    """Return the passwords by the path and field of `change_credentials`, of the objects in the map.

    A target that is not in the map, and a TPG of another gateway, may have other passwords for an initiator.
    """
    pairs = {
        initiator_path(acl.initiator): (acl.credentials, CHAP, MUTUAL)
        for tpg in own_tpgs(foreign)
        if tpg.iqn in lunmap.targets
        for acl in tpg.acls
    }
    if node in lunmap.nodes and foreign.discovery is not None:
        pairs[node_path(node)] = (foreign.discovery, DISCOVERY_CHAP, DISCOVERY_MUTUAL)
    return {
        (path, field): secret
        for path, (credentials, chap, mutual) in pairs.items()
        for field, user, secret in (
            (chap, credentials.userid, credentials.password),
            (mutual, credentials.userid_mutual, credentials.password_mutual),
        )
        if user
    }
