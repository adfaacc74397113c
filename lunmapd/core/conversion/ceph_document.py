"""The structure of ceph-iscsi's `gateway.conf`, in the versions 1 to 11 of the document.

The keys of all versions are decoded into one structure, and its methods return what version 11 has. Source:
ceph_iscsi_config/common.py of ceph-iscsi 3.9 (Config._upgrade_config), which upgrades a document in place.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from lunmapd.core.base.password import Secret
from lunmapd.core.conversion.conversion import NotConvertibleError

FIRST_VERSION, LAST_VERSION = 1, 11
_WITHOUT_TARGETS = 3
_PLAIN = 16
USER_RBD = "user:rbd"


class CephPair(Struct, frozen=True):
    """A user and a password; an encrypted one is text that only the gateways' RSA key opens."""

    user: str
    secret: Secret
    encrypted: bool


class CephAuth(Struct):
    """CHAP credentials: `user/password` in one text up to version 7, fields of their own since 8."""

    chap: str = ""
    chap_mutual: str = ""
    username: str = ""
    password: str = ""
    password_encryption_enabled: bool = False
    mutual_username: str = ""
    mutual_password: str = ""
    mutual_password_encryption_enabled: bool = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def incoming(self) -> CephPair | None:
        """Return the credentials of the initiator."""
        return _pair(self.chap, self.username, self.password, encrypted=self.password_encryption_enabled)

    def outgoing(self) -> CephPair | None:
        """Return the credentials of the target."""
        encrypted = self.mutual_password_encryption_enabled
        return _pair(self.chap_mutual, self.mutual_username, self.mutual_password, encrypted=encrypted)


def _pair(joined: str, user: str, password: str, *, encrypted: bool) -> CephPair | None:
    """Return a pair, None without a user. ceph-iscsi takes more than 16 letters of old ones as encrypted."""
    if not user and "/" in joined:
        user, _, password = joined.partition("/")
        encrypted = len(password) > _PLAIN
    return CephPair(user, Secret(password), encrypted) if user else None


class CephDisk(Struct):
    """An RBD image that is a LUN. `backstore_object_name` is its LIO name; the key was up to version 6."""

    pool: str = ""
    image: str = ""
    wwn: str = ""
    owner: str = ""
    backstore: str = USER_RBD
    backstore_object_name: str = ""
    controls: dict[str, Any] = {}


class CephLun(Struct):
    """The number of a LUN."""

    lun_id: int | None = None


class CephClient(Struct):
    """An initiator of a target; `luns` has the disks of its group, too."""

    auth: CephAuth = field(default_factory=CephAuth)
    luns: dict[str, CephLun] = {}
    group_name: str = ""
    controls: dict[str, Any] = {}


class CephGroup(Struct):
    """Initiators with the same disks."""

    members: list[str] = []
    disks: dict[str, CephLun] = {}


class CephPortal(Struct):
    """The addresses of a gateway: one up to version 8, a list since 9."""

    portal_ip_address: str = ""
    portal_ip_addresses: list[str] = []

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses."""
        return tuple(self.portal_ip_addresses or filter(None, [self.portal_ip_address]))


class CephTarget(Struct):
    """A target. `disks` is a list up to version 10, and has numbers for demo mode since 11."""

    disks: dict[str, CephLun] | list[str] = []
    clients: dict[str, CephClient] = {}
    groups: dict[str, CephGroup] = {}
    portals: dict[str, CephPortal] = {}
    ip_list: list[str] = []
    controls: dict[str, Any] = {}
    acl_enabled: bool = True
    auth: CephAuth = field(default_factory=CephAuth)

    def disk_numbers(self) -> dict[str, int]:
        """Return the number of each disk in demo mode; up to version 10 it is the place of the name."""
        disks = self.disks if isinstance(self.disks, dict) else dict.fromkeys(self.disks, CephLun())
        return {
            name: place if disks[name].lun_id is None else int(disks[name].lun_id or 0)
            for place, name in enumerate(sorted(disks))
        }


class _OldGateways(Struct):
    """The keys beside the names of gateways, up to version 3."""

    iqn: str = ""
    ip_list: list[str] = []


class CephDocument(Struct):
    """The whole document. Up to version 3 it has one target, whose parts are at the top."""

    version: int
    disks: dict[str, CephDisk] = {}
    gateways: dict[str, Any] = {}
    targets: dict[str, CephTarget] = {}
    clients: dict[str, CephClient] = {}
    groups: dict[str, CephGroup] = {}
    controls: dict[str, Any] = {}
    discovery_auth: CephAuth = field(default_factory=CephAuth)

    def all_targets(self) -> dict[str, CephTarget]:
        """Return the targets by name. Raises msgspec.ValidationError, which `read_ceph_document` excludes."""
        if self.version > _WITHOUT_TARGETS:
            return self.targets
        named = msgspec.convert(self.gateways, _OldGateways, strict=False)
        return {named.iqn: self._only_target(named.ip_list)} if named.iqn else {}

    def _only_target(self, addresses: list[str]) -> CephTarget:
        return CephTarget(
            list(self.disks),
            self.clients,
            self.groups,
            {name: portal for name, portal in self._old_portals() if portal.addresses()},
            addresses,
            self.controls,
        )

    def _old_portals(self) -> Iterator[tuple[str, CephPortal]]:
        for name, value in self.gateways.items():
            if isinstance(value, dict):
                yield name, msgspec.convert(value, CephPortal, strict=False)


def read_ceph_document(text: str, name: str) -> CephDocument:
    """Return the document. Raises NotConvertibleError, whose text has no value of the file."""
    try:
        document = msgspec.json.decode(text, type=CephDocument, strict=False)
        document.all_targets()
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotConvertibleError(f"{name} is not a gateway.conf of ceph-iscsi: {error}") from None
    if not FIRST_VERSION <= document.version <= LAST_VERSION:
        raise NotConvertibleError(
            f"{name} has version {document.version} of the document; {FIRST_VERSION} to {LAST_VERSION} are "
            "known"
        )
    return document
