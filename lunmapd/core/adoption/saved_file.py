"""The structure of targetcli's saveconfig.json: each key that rtslib's dump() writes. Pure."""

from typing import Any

from msgspec import Struct, field

from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects


class SavedStorage(Struct):
    """A storage object."""

    name: str
    plugin: str
    wwn: str = ""
    dev: str = ""
    config: str = ""
    size: int = 0
    write_back: bool = False
    nullio: bool = False
    readonly: bool = False
    aio: bool = False
    exclusive: bool = True
    hw_max_sectors: int | None = None
    control: str | None = None
    attributes: dict[str, Any] = {}
    alua_tpgs: list[dict[str, Any]] = []


class SavedLun(Struct):
    """A LUN of a TPG."""

    index: int
    storage_object: str
    alias: str | None = None
    alua_tg_pt_gp_name: str | None = None


class SavedMappedLun(Struct):
    """A mapped LUN."""

    index: int
    tpg_lun: int
    write_protect: bool = False
    alias: str | None = None


class SavedChap(Struct):
    """CHAP credentials, of an ACL or of a TPG."""

    chap_userid: str | None = None
    chap_password: str | None = None
    chap_mutual_userid: str | None = None
    chap_mutual_password: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def credentials(self) -> lio_objects.ChapCredentials:
        """Return the credentials; an incomplete pair counts as none, as in LIO."""
        if not self.chap_userid or not self.chap_password:
            return lio_objects.NO_CREDENTIALS
        one = self.chap_userid, Secret(self.chap_password)
        if not self.chap_mutual_userid or not self.chap_mutual_password:
            return lio_objects.ChapCredentials(*one)
        return lio_objects.ChapCredentials(*one, self.chap_mutual_userid, Secret(self.chap_mutual_password))


class SavedAcl(SavedChap):
    """An ACL."""

    node_wwn: str = ""
    mapped_luns: list[SavedMappedLun] = []
    attributes: dict[str, Any] = {}
    tag: str | None = None


class SavedPortal(Struct):
    """A portal."""

    ip_address: str
    port: int
    iser: bool = False
    offload: bool = False


class SavedTpg(SavedChap, kw_only=True):
    """A TPG, with the credentials that demo mode uses."""

    tag: int | None = None
    enable: bool = True
    attributes: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    luns: list[SavedLun] = []
    node_acls: list[SavedAcl] = []
    portals: list[SavedPortal] = []


class SavedWwn(Struct):
    """A target of any fabric."""

    wwn: str
    fabric: str
    tpgs: list[SavedTpg] = []
    parameters: dict[str, Any] = {}


class SavedFabric(Struct):
    """The discovery of a fabric."""

    name: str
    discovery_enable_auth: bool = False
    discovery_userid: str = ""
    discovery_password: str = ""
    discovery_mutual_userid: str = ""
    discovery_mutual_password: str = ""

    def __repr__(self) -> str:
        return f"SavedFabric({self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]


class SavedFile(Struct):
    """The whole file."""

    storage_objects: list[SavedStorage] = field(default_factory=list)
    targets: list[SavedWwn] = field(default_factory=list)
    fabric_modules: list[SavedFabric] = field(default_factory=list)
