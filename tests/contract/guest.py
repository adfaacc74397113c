"""Runs in the machine: cleans LIO, makes and shows a foreign target.

It uses configfs directly, as a reference.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path("/sys/kernel/config/target")


def clean() -> None:
    """Remove everything, backing files too, and load the iSCSI fabric if it is missing."""
    (ROOT / "iscsi").mkdir(exist_ok=True)
    for target in ROOT.glob("iscsi/iqn*"):
        for tpg in target.glob("tpgt_*"):
            (tpg / "enable").write_text("0")
            _remove(
                tpg.glob("acls/*/lun_*"), tpg.glob("acls/*"), tpg.glob("lun/lun_*"), tpg.glob("np/*"), [tpg]
            )
        target.rmdir()
    if (auth := ROOT / "iscsi/discovery_auth").exists():
        (auth / "enforce_discovery_auth").write_text("0")
    # The kernel's own group goes with its device.
    groups = (path for path in ROOT.glob("core/*_*/*/alua/*") if path.name != "default_tg_pt_gp")
    _remove(groups, filter(Path.is_dir, ROOT.glob("core/*_*/*")), ROOT.glob("core/*_*"))
    subprocess.run(["losetup", "--detach-all"], check=True)
    for file in Path("/srv").iterdir():
        file.unlink()


def foreign(iqn: str) -> None:
    """Make a storage object, a target, a TPG, a LUN, an ACL and a map."""
    device = ROOT / "core/rd_mcp_0/ram"
    tpg = ROOT / "iscsi" / iqn / "tpgt_1"
    acl = tpg / "acls" / f"{iqn}-host"
    for directory in (device.parent, device, tpg.parent, tpg, tpg / "lun/lun_0"):
        directory.mkdir()
    (device / "control").write_text("rd_pages=16")
    (device / "enable").write_text("1")
    (tpg / "lun/lun_0/it").symlink_to(device)
    acl.mkdir()
    (acl / "lun_0").mkdir()
    (acl / "lun_0/it").symlink_to(tpg / "lun/lun_0")


def show(iqn: str) -> None:
    """Print every directory and link of what foreign() made."""
    tree = [ROOT / "core/rd_mcp_0", ROOT / "iscsi" / iqn]
    sys.stdout.write(json.dumps(sorted(str(path) for top in tree for path in top.rglob("*"))))


def _remove(*groups: Iterable[Path]) -> None:
    for group in groups:
        for directory in group:
            for entry in directory.iterdir():
                if entry.is_symlink():
                    entry.unlink()
            directory.rmdir()


match sys.argv[1:]:
    case ["clean"]:
        clean()
    case ["foreign", name]:
        foreign(name)
    case ["show", name]:
        show(name)
