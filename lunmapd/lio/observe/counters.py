"""Observing what the kernel counts of the sessions of a target."""

from msgspec.structs import replace

from lunmapd.core.node.observed import SessionCounters
from lunmapd.lio.base import files
from lunmapd.lio.base.observation import Observation

_FILES = (
    "iscsi_login_stats/accepts",
    "iscsi_logout_stats/normal_logouts",
    "iscsi_logout_stats/abnormal_logouts",
    "iscsi_instance/sessions",
)


def read_counters(observation: Observation, iqn: str) -> SessionCounters | None:
    """Return the counters of a target, None for a kernel that lacks any of them."""
    path = f"iscsi/{iqn}"
    incarnation = files.inode_of(f"{observation.root}/{path}")
    texts = observation.read_files(f"{path}/fabric_statistics", _FILES)
    if incarnation is None or not all(texts.get(name, "").isdecimal() for name in _FILES):
        return None
    accepts, normal, abnormal, sessions = (int(texts[name]) for name in _FILES)
    return SessionCounters(incarnation, accepts, normal, abnormal, sessions)


def record_counters(observation: Observation, iqn: str, before: SessionCounters | None) -> None:
    """Record the counters of a target; `before` are those that were read before its sessions."""
    after = read_counters(observation, iqn)
    if before is not None and after is not None:
        observation.counters[iqn] = replace(after, is_steady=before == after)
