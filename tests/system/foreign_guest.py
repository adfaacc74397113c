"""Runs in the storage node: makes a foreign target, and shows every file of it, with configfs alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/kernel/config/target")
DEVICE = ROOT / "core/rd_mcp_0/theirs"
TARGET = ROOT / "iscsi/iqn.2003-01.org.linux-iscsi.other:theirs"
TPG = TARGET / "tpgt_1"
HOST = "iqn.2026-01.org.example:host1"


def make(address: str) -> None:
    """Make a storage object with its own settings, and a target with CHAP for it on the common portal."""
    acl = TPG / "acls" / HOST
    portal = TPG / f"np/{address}:3260"
    for directory in (DEVICE.parent, DEVICE, TARGET.parent, TARGET, TPG, TPG / "lun/lun_4", portal):
        directory.mkdir(exist_ok=True)
    for name, value in (("control", "rd_pages=256"), ("enable", "1"), ("wwn/vpd_unit_serial", "their serial"),
                        ("attrib/emulate_tpu", "0"), ("attrib/emulate_pr", "0"), ("udev_path", "their note"), ("alias", "lunmap")):  # fmt: skip
        (DEVICE / name).write_text(value)
    (TPG / "lun/lun_4/link").symlink_to(DEVICE)
    for directory in (acl, acl / "lun_2"):
        directory.mkdir()
    (acl / "lun_2/link").symlink_to(TPG / "lun/lun_4")
    for name, value in (
        ("auth/userid", "they"),
        ("auth/password", "their word"),
        ("attrib/nopin_timeout", "7"),
    ):
        (acl / name).write_text(value)
    for name, value in (("attrib/authentication", "1"), ("attrib/login_timeout", "17"), ("param/MaxBurstLength", "131072\n"),
                        ("param/TargetAlias", "theirs\n"), ("enable", "1")):  # fmt: skip
        (TPG / name).write_text(value)


def show() -> None:
    """Print the content of each file and link."""
    trees = (DEVICE.parent, TARGET)
    sys.stdout.write(
        json.dumps({str(path): _content(path) for tree in trees for path in _walk(tree)}, indent=1)
    )


def _walk(tree: Path) -> Iterator[Path]:
    yield tree
    yield from sorted(tree.rglob("*"))


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        return "/"
    try:
        return path.read_bytes().hex()
    except OSError as error:
        return f"errno {error.errno}"


match sys.argv[1:]:
    case ["make", where]:
        make(where)
    case ["show", *_]:
        show()
