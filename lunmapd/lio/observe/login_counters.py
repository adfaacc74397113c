"""Observing the kernel's counters of refused logins: one set for each target."""

from lunmapd.core.node.observed import LoginCounters
from lunmapd.lio.base.observation import Observation

_FAILS = ("authenticate_fails", "authorize_fails", "negotiate_fails", "other_fails")
_NAME, _ADDRESS = "fail_intr_name", "fail_intr_addr"
# What the kernel shows before the first refused login, and for an initiator without an ACL.
_NOTHING = {"None", "Unknown", "(einval)"}


def observe_login_counters(observation: Observation, iqn: str) -> None:
    """Record the counters of a target; none on a kernel that does not have them."""
    path = f"iscsi/{iqn}/fabric_statistics"
    texts = observation.read_files(f"{path}/iscsi_login_stats", _FAILS)
    if len(texts) < len(_FAILS):
        return
    numbers = {name: int(text or "0") for name, text in texts.items()}
    who = observation.read_files(f"{path}/iscsi_tgt_attr", (_NAME, _ADDRESS))
    observation.login_counters.append(
        LoginCounters(iqn, **numbers, name=_known(who.get(_NAME, "")), address=_known(who.get(_ADDRESS, "")))
    )


def _known(text: str) -> str:
    return "" if text in _NOTHING else text
