"""CHAP credentials in LIO: of an ACL, and of discovery.

An unset field reads as an empty line, a cleared one as NULL; writing a value that starts with NULL clears the
field (drivers/target/iscsi/iscsi_target_configfs.c). No message of this module contains a password.
"""

from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.observation import Observation

DISCOVERY = "iscsi/discovery_auth"
ACL_AUTHENTICATION, AS_THE_TPG = "attrib/authentication", "-1"
"""The file of an ACL that can override its TPG, and the value with which it does not."""


def observe_credentials(observation: Observation, path: str) -> ChapCredentials:
    """Read the credentials in a directory. As in LIO, a user without a password counts as no credentials."""
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
    """Record DiscoveryAuth if discovery requires credentials."""
    if observation.read(f"{DISCOVERY}/enforce_discovery_auth") == "1":
        observation.add(lio_objects.DiscoveryAuth(observe_credentials(observation, DISCOVERY)))


def _read(observation: Observation, path: str) -> str:
    text = observation.read(path) or ""
    return "" if text.startswith("NULL") else text


def write_acl_credentials(item: lio_objects.NodeAcl) -> None:
    """Write the credentials of an ACL; LIO uses them from the next login on. Raises RtsError."""
    acl, credentials = rts.open_acl(item.iqn, item.tag, item.initiator, "lookup"), item.credentials
    acl.chap_userid = credentials.userid
    acl.chap_password = credentials.password.text
    acl.chap_mutual_userid = credentials.userid_mutual
    acl.chap_mutual_password = credentials.password_mutual.text


def update_acl(item: lio_objects.NodeAcl, before: lio_objects.Object | None) -> None:
    """Change the settings of an ACL. Raises OSError and RtsError."""
    if isinstance(before, lio_objects.NodeAcl) and before.overrides_authentication:
        path = f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}/{ACL_AUTHENTICATION}"
        files.write_file(path, AS_THE_TPG)
    write_acl_credentials(item)


def write_discovery_credentials(credentials: ChapCredentials, *, enforced: bool) -> None:
    """Write the credentials of discovery, and whether it requires them (`enforced`). Raises RtsError."""
    fabric = rts.open_fabric()
    if not enforced:
        fabric.discovery_enable_auth = False
    fabric.discovery_userid = credentials.userid
    fabric.discovery_password = credentials.password.text
    fabric.discovery_mutual_userid = credentials.userid_mutual
    fabric.discovery_mutual_password = credentials.password_mutual.text
    if enforced:
        fabric.discovery_enable_auth = True
