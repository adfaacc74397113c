"""A plain directory that looks like configfs' target directory to a reader."""

from pathlib import Path

from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK, TPG_ATTRIBUTES
from support.observing import observe

IQN = "iqn.2020-01.org.example:disks"
TPGT = f"iscsi/{IQN}/tpgt_1"
NOBODY: frozenset[str] = frozenset()


class Tree:
    """Makes parts of the tree."""

    def __init__(self, root: Path) -> None:
        """Start with LIO loaded and empty."""
        self.root = root
        for name in ("core/alua", "iscsi/discovery_auth"):
            (root / name).mkdir(parents=True)

    def write(self, path: str, text: str) -> None:
        """Write one file and make its directory."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(f"{text}\n")

    def storage_object(self, name: str, hba: str = "fileio_10000", serial: str = "abc") -> None:
        """Make a storage object of one byte."""
        path = f"core/{hba}/{name}"
        self.write(
            f"{path}/info",
            f"Status: ACTIVATED\n  TCM FILEIO ID: 0  File: /srv/{name}  Size: 1  Mode: O_DSYNC",
        )
        self.write(f"{path}/wwn/vpd_unit_serial", f"T10 VPD Unit Serial Number: {serial}")
        for attribute in PLUGINS["fileio"].governed:
            self.write(f"{path}/attrib/{attribute}", "0")
        for file, text in (("alua_access_state", "0"), ("alua_access_type", "Implicit"), ("preferred", "0")):
            self.write(f"{path}/alua/default_tg_pt_gp/{file}", text)

    def tpg(self, path: str, alias: str = MARK, *, enabled: bool = False) -> None:
        """Make a TPG with the attributes that lunmapd sets; `path` is below iscsi."""
        for name, value in TPG_ATTRIBUTES:
            self.write(f"iscsi/{path}/attrib/{name}", value)
        self.write(f"iscsi/{path}/param/TargetAlias", alias)
        self.write(f"iscsi/{path}/enable", "1" if enabled else "0")
        for name in ("lun", "acls", "np"):
            (self.root / "iscsi" / path / name).mkdir(exist_ok=True)

    def link(self, path: str, destination: str, name: str = MARK) -> None:
        """Make a directory with a link in it; both paths are below the root."""
        (self.root / path).mkdir(parents=True)
        (self.root / path / name).symlink_to(self.root / destination)


def served(tree: Tree) -> None:
    """Make a target with a LUN `a` that host sees as number 5."""
    tree.storage_object("a")
    tree.tpg(f"{IQN}/tpgt_1")
    tree.link(f"{TPGT}/lun/lun_0", "core/fileio_10000/a")
    tree.link(f"{TPGT}/acls/host/lun_5", f"{TPGT}/lun/lun_0")
    tree.write(f"{TPGT}/acls/host/lun_5/write_protect", "1")


def leftovers(tree: Tree) -> set[lio_objects.Object]:
    """Return the leftovers that are observed."""
    return {
        item for item in observe(tree.root, NOBODY).objects.values() if isinstance(item, lio_objects.Leftover)
    }
