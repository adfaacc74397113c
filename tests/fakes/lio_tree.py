"""The fake LIO as configfs would show it, and out-of-band changes of it by paths of that tree."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from fakes.lio import FakeLio, directory_of
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import with_dependents


class FakeTree:
    """Lists a fake LIO, and changes it out of band. Paths are below configfs' target directory.

    A change that the kernel would refuse does nothing.
    """

    def __init__(self, lio: FakeLio) -> None:
        """Show this fake."""
        self._lio = lio
        self._numbers: dict[lio_objects.Key, int] = {}

    def listing(self) -> dict[str, str]:
        """Return the text of each file, "" for a directory, `-> PATH` for a link."""
        return dict(self._entries())

    def remove(self, path: str) -> None:
        """Remove a directory, with all that is in it or leads to it."""
        doomed = {key: "" for key, item in self._lio.objects.items() if self._path(item) == path}
        gone = with_dependents(doomed, self._lio.objects)
        inside = f"{path}/"
        self._lio.objects = {
            key: item
            for key, item in self._lio.objects.items()
            if key not in gone
            and not (isinstance(item, lio_objects.Leftover) and item.path.startswith(inside))
        }
        for key in gone:
            if key[0] == "storage_object":
                self._lio.opened.pop(str(key[1]), None)
            elif key[0] == "target":
                self._lio._counters.pop(str(key[1]), None)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        directory, _, name = path.rpartition("/")
        if name == "enable":
            self._enable(directory, text)
            return
        for key, item in list(self._lio.objects.items()):
            if self._path(item) in {directory, directory.removesuffix("/attrib")}:
                self._lio.objects[key] = _written(item, name, text)

    def make(self, path: str, link: str = "") -> None:
        """Make a directory, and in it a link to the directory `link`."""
        item = self._made(path, link)
        if item is None or lio_objects.key_of(item) in self._lio.objects:
            return
        if all(parent in self._lio.objects for parent in lio_objects.parents_of(item)):
            self._lio.objects[lio_objects.key_of(item)] = item

    def _enable(self, tpg: str, text: str) -> None:
        iqn, tag = _tpg_of(tpg)
        key: lio_objects.Key = ("enabled", iqn, tag)
        if text == "0":
            self._lio.objects.pop(key, None)
        elif ("tpg", iqn, tag) in self._lio.objects and key not in self._lio.objects:
            self._lio.objects[key] = lio_objects.Enabled(iqn, tag, 9000 + tag)

    def _made(self, path: str, link: str) -> lio_objects.Object | None:
        found = re.fullmatch(r"iscsi/([^/]+)/tpgt_(\d+)/(np|acls|lun)/([^/]+)(?:/lun_(\d+))?", path)
        if found is None:
            return lio_objects.Leftover("hba", path)
        iqn, tag, kind, name, number = found[1], int(found[2]), found[3], found[4], found[5]
        if ("tpg", iqn, tag) not in self._lio.objects:
            return None
        if kind == "np":
            return lio_objects.Portal(iqn, tag, name)
        if kind == "lun":
            return lio_objects.Leftover("lun", path)
        acl = lio_objects.NodeAcl(iqn, tag, name)
        return acl if number is None else self._mapped(acl, int(number), path, link)

    def _mapped(
        self, acl: lio_objects.NodeAcl, number: int, path: str, link: str
    ) -> lio_objects.Object | None:
        """Return a mapped LUN, or what is left of one without a link."""
        key = ("mapped_lun", acl.iqn, acl.tag, acl.initiator, number)
        if lio_objects.key_of(acl) not in self._lio.objects or key in self._lio.objects:
            return None
        if not link:
            return lio_objects.Leftover("mapped_lun", path)
        lun = next((item for item in self._lio.objects.values() if self._path(item) == link), None)
        if not isinstance(lun, lio_objects.TpgLun):
            return None
        return lio_objects.MappedLun(
            acl.iqn, acl.tag, acl.initiator, number, lun.storage_object, write_protect=False
        )

    def _entries(self) -> Iterator[tuple[str, str]]:
        for item in self._lio.objects.values():
            path = self._path(item)
            if path is None:
                continue
            yield path, ""
            for name, text in self._files(item):
                yield f"{path}/{name}", text

    def _path(self, item: lio_objects.Object) -> str | None:
        match item:
            case lio_objects.Leftover():
                return item.path
            case lio_objects.StorageObject():
                return f"core/{item.plugin}_{self._number(item)}/{item.name}"
            case lio_objects.TpgLun():
                return f"{_tpg(item.iqn, item.tag)}/lun/lun_{self._number(item)}"
            case lio_objects.MappedLun():
                return f"{_tpg(item.iqn, item.tag)}/acls/{item.initiator}/lun_{item.lun}"
            case lio_objects.Portal():
                return f"{_tpg(item.iqn, item.tag)}/np/{item.address}"
            case _:
                return directory_of(item)

    def _number(self, item: lio_objects.Object) -> int:
        return self._numbers.setdefault(lio_objects.key_of(item), 10_000 + len(self._numbers))

    def _files(self, item: lio_objects.Object) -> Iterator[tuple[str, str]]:
        objects = self._lio.objects
        match item:
            case lio_objects.StorageObject():
                yield "wwn/vpd_unit_serial", f"T10 VPD Unit Serial Number: {item.serial}"
                yield "info", f"File: {item.path}  Size: {item.size}" if item.plugin == "fileio" else ""
            case lio_objects.Tpg():
                enabled = objects.get(("enabled", item.iqn, item.tag))
                yield "enable", "0" if enabled is None else "1"
                yield "rtpi", str(enabled.port_id) if isinstance(enabled, lio_objects.Enabled) else "0"
                yield from ((f"attrib/{name}", value) for name, value in item.attributes)
                yield from ((f"param/{name}", value) for name, value in item.parameters)
            case lio_objects.NodeAcl():
                yield "attrib/authentication", "0" if item.overrides_authentication else "-1"
                yield "auth/userid", item.credentials.userid
                yield "auth/userid_mutual", item.credentials.userid_mutual
            case lio_objects.TpgLun():
                backing = objects["storage_object", item.storage_object]
                yield "lunmapd", f"-> {self._path(backing)}"
            case lio_objects.MappedLun():
                lun = objects["lun", item.iqn, item.tag, item.storage_object]
                yield "lunmapd", f"-> {self._path(lun)}"
                yield "write_protect", str(int(item.write_protect))
            case _:
                return


def _tpg(iqn: str, tag: int) -> str:
    return f"iscsi/{iqn}/tpgt_{tag}"


def _tpg_of(path: str) -> tuple[str, int]:
    _, iqn, group = path.split("/")
    return iqn, int(group.removeprefix("tpgt_"))


def _written(item: lio_objects.Object, name: str, text: str) -> lio_objects.Object:
    match item:
        case lio_objects.MappedLun() if name == "write_protect":
            return replace(item, write_protect=text == "1")
        case lio_objects.NodeAcl() if name == "authentication":
            return replace(item, overrides_authentication=text != "-1")
        case lio_objects.Tpg():
            attributes = tuple((key, text if key == name else value) for key, value in item.attributes)
            return replace(item, attributes=attributes)
        case _:
            return item
