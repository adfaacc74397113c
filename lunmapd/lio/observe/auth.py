"""CHAP credentials in LIO: of an ACL, and of discovery.

An unset field is an empty line, a cleared one reads NULL, and any value that starts with NULL clears it
(drivers/target/iscsi/iscsi_target_configfs.c). No text here ever has a password in it.
"""

from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.lio.base import rts
from lunmapd.lio.base.observation import Observation

DISCOVERY = "iscsi/discovery_auth"


def observe_credentials(observation: Observation, path: str) -> ChapCredentials:
    """Read the credentials in a directory; half of a pair counts as none, for LIO takes it so."""
    userid = _read(observation, f"{path}/userid")
    password = _read(observation, f"{path}/password") if userid else ""
    if not password:
        return lio_objects.NO_CREDENTIALS
    if observation.read(f"{path}/authenticate_target") != "1":
        return ChapCredentials(userid, Secret(password))
    mutual = (
        _read(observation, f"{path}/userid_mutual"),
        Secret(_read(observation, f"{path}/password_mutual")),
    )
    return ChapCredentials(userid, Secret(password), *mutual)


def observe_discovery(observation: Observation) -> None:
    """Note that discovery asks for credentials."""
    if observation.read(f"{DISCOVERY}/enforce_discovery_auth") == "1":
        observation.add(lio_objects.DiscoveryAuth(observe_credentials(observation, DISCOVERY)))


def _read(observation: Observation, path: str) -> str:
    text = observation.read(path) or ""
    return "" if text.startswith("NULL") else text


def write_acl_credentials(item: lio_objects.NodeAcl) -> None:
    """Bring the credentials of an ACL to what they must be; they count for the next login."""
    acl, known = rts.open_acl(item.iqn, item.tag, item.initiator, "lookup"), item.credentials
    acl.chap_userid = known.userid
    acl.chap_password = known.password.text
    acl.chap_mutual_userid = known.userid_mutual
    acl.chap_mutual_password = known.password_mutual.text


def write_discovery_credentials(known: ChapCredentials, *, enforced: bool) -> None:
    """Let discovery ask for credentials, or for none."""
    fabric = rts.open_fabric()
    if not enforced:
        fabric.discovery_enable_auth = False
    fabric.discovery_userid = known.userid
    fabric.discovery_password = known.password.text
    fabric.discovery_mutual_userid = known.userid_mutual
    fabric.discovery_mutual_password = known.password_mutual.text
    if enforced:
        fabric.discovery_enable_auth = True
