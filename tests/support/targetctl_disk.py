"""A machine that has targetctl, which restores what it has saved at each boot."""

from pathlib import Path

from msgspec import json

UNIT = "rtslib-fb-targetctl.service"


class Disk:
    """The root of a machine that has targetctl."""

    def __init__(self, root: Path) -> None:
        """Enable its service; nothing is saved yet."""
        self.root = root
        self.units = root / "etc/systemd/system"
        self.wants = self.units / "multi-user.target.wants"
        self.wants.mkdir(parents=True)
        (self.wants / UNIT).symlink_to(f"/usr/lib/systemd/system/{UNIT}")
        self.file = root / "etc/rtslib-fb-target/saveconfig.json"
        self.file.parent.mkdir()

    def save(self, iqn: str, alias: str = "") -> None:
        """Save one target, as targetcli does when it exits."""
        tpg = {"tag": 1, "parameters": {"TargetAlias": alias}}
        target = {"wwn": iqn, "fabric": "iscsi", "tpgs": [tpg]}
        self.file.write_bytes(json.encode({"storage_objects": [], "targets": [target]}))
