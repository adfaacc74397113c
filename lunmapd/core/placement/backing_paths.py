"""The path of a Lun's backing on each node, which may replace a prefix of it."""

from collections.abc import Mapping

from lunmapd.core.base.backings import RamDisk, User, source
from lunmapd.core.base.lunmap import Lun, Node


def source_on(lun: Lun, name: str, node: Node) -> str:
    """Return the Lun's path or configuration on node `name`: its override, or as `devices` rewrites it."""
    if isinstance(lun.backing, RamDisk):
        return ""
    override = lun.backing.overrides.get(name)
    if override is not None or isinstance(lun.backing, User):
        return override or source(lun.backing)
    return rewrite_path(node.devices, lun.backing.path)


def rewrite_path(devices: Mapping[str, str], path: str) -> str:
    """Return `path` with the longest prefix that matches whole components replaced; `path` if none does."""
    fitting = [prefix for prefix in devices if has_prefix(path, prefix)]
    if not fitting:
        return path
    longest = max(fitting, key=lambda prefix: len(prefix.rstrip("/")))
    return devices[longest].rstrip("/") + path[len(longest.rstrip("/")) :] or "/"


def has_prefix(path: str, prefix: str) -> bool:
    """Return whether `path` is `prefix` or lies below it."""
    return f"{path}/".startswith(f"{prefix.rstrip('/')}/")
