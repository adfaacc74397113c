"""The settings file of a command that is not the daemon."""

from pathlib import Path
from typing import NamedTuple

from lunmapd.service.settings import Settings, default_node, load_checked_settings, load_settings


class SettingsSource(NamedTuple):
    """The settings file of a command, which is read when the command needs it: its help needs none."""

    file: Path
    checked: bool = False

    def load(self) -> Settings:
        """Read the settings, and with `checked` the files that they name. Raises LunmapdError."""
        return load_checked_settings(self.file) if self.checked else load_settings(self.file)

    def node(self) -> str:
        """Return the node's name in the settings, or that of this machine if there are none."""
        return self.load().node if self.file.exists() else default_node()
