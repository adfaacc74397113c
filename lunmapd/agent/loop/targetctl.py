"""Whether targetctl would restore targets of lunmapd at the next boot, without marks and maybe old."""

from pathlib import Path

from lunmapd.core.adoption.saveconfig import NotSaveconfigError, SavedTarget, saved_targets
from lunmapd.core.base.lunmap import Lunmap, nodes_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.fleet.status import UNCONTESTED, ConditionUpdate, false_condition, true_condition
from lunmapd.files import read_regular

# Where rtslib-fb saves by default, and where Debian's package does.
_FILES = ("etc/target/saveconfig.json", "etc/rtslib-fb-target/saveconfig.json")
_UNITS = ("target.service", "rtslib-fb-targetctl.service")
_LINKS = "etc/systemd/system"

Stamp = tuple[int, int, int]


class Targetctl:
    """Reads what targetctl has saved, and whether it is started at boot.

    A file is read again when it has changed.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """Read the files below `root`."""
        self._root = root
        self._known: dict[str, tuple[Stamp, tuple[SavedTarget, ...]]] = {}

    def condition(self, lunmap: Lunmap, node: str) -> ConditionUpdate:
        """Return BootUncontested: false if a boot restores a target of `node`, or one with lunmapd's mark."""
        for file in _FILES:
            names = [
                one.iqn
                for one in self._saved(file)
                if one.marked or (one.iqn in lunmap.targets and node in nodes_of(lunmap.targets[one.iqn]))
            ]
            if names and (unit := self._started()):
                return false_condition(
                    UNCONTESTED, Reason.SAVED_ELSEWHERE, _sentence(unit, f"/{file}", names)
                )
        return true_condition(UNCONTESTED, Reason.ALONE, "no other tool makes this node's targets at a boot")

    def _saved(self, file: str) -> tuple[SavedTarget, ...]:
        """Return the targets in a file; none if it can't be read, since targetctl can't read it either."""
        path = self._root / file
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if file not in self._known or self._known[file][0] != stamp:
                self._known[file] = stamp, saved_targets(read_regular(path), str(path))
        except (OSError, NotSaveconfigError):
            self._known.pop(file, None)
            return ()
        return self._known[file][1]

    def _started(self) -> str:
        """Return the unit that is started at boot, wanted by another one and not masked; "" for none."""
        links = self._root / _LINKS
        for unit in _UNITS:
            masked = (links / unit).is_symlink() and (links / unit).readlink() == Path("/dev/null")
            if not masked and any((wants / unit).is_symlink() for wants in links.glob("*.wants")):
                return unit
        return ""


def _sentence(unit: str, file: str, names: list[str]) -> str:
    return (
        f"at the next boot {unit} would make {first_of(names, 1)} from {file}, without lunmapd's marks and "
        "maybe old: "
        f"'systemctl mask {unit}' (not --now: stopping it clears LIO), or take them out of that file"
    )
