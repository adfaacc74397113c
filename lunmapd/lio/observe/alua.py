"""The target port group of a storage object: through which ports this node shows it, and in which state (SPC-4, section 5.15).

Each device has a group of id 0, which the kernel made and no state can tell apart between nodes; ours stands beside it. Its
state is changed by the map alone (implicit): what an initiator asks for (SET TARGET PORT GROUPS) would be known to one node only.
Source: drivers/target/target_core_alua.c. rtslib's way to bind a LUN gives -1 for a refusal and says nothing, so its files are written here.
"""

import os
import re

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import MARK
from lunmapd.lio.base import files
from lunmapd.lio.base.observation import Observation

_NUMBERS = {
    AluaState.OPTIMIZED: 0,
    AluaState.NON_OPTIMIZED: 1,
    AluaState.STANDBY: 2,
    AluaState.UNAVAILABLE: 3,
}
_STATES = {str(number): state for state, number in _NUMBERS.items()}
# Of each file what is written, and what it shows then. By default the kernel answers 0.1 s late where the state is not optimized.
_COMMON = {"alua_access_type": ("1", "Implicit"), "nonop_delay_msecs": ("0", "0")}
_ID = re.compile(r"TG Port Group ID: (\d+)")


def read_group(observation: Observation, path: str) -> lio_objects.Alua | None:
    """Read the group of the storage object at `path`; None where there is none, or half of one."""
    directory = f"{path}/alua/{MARK}"
    number = observation.read(f"{directory}/tg_pt_gp_id")
    state = _STATES.get(observation.read(f"{directory}/alua_access_state") or "")
    if not number or state is None:
        return None
    intact = all(observation.read(f"{directory}/{file}") == shown for file, (_, shown) in _COMMON.items())
    return lio_objects.Alua(int(number), state, observation.read(f"{directory}/preferred") == "1", intact)


def read_lun_group(observation: Observation, path: str) -> int:
    """Return the id of the group that the LUN at `path` belongs to, 0 for the kernel's own."""
    found = _ID.search(observation.read(f"{path}/alua_tg_pt_gp") or "")
    return int(found[1]) if found else 0


def write_group(path: str, now: lio_objects.Alua | None, before: lio_objects.Alua | None) -> None:
    """Bring the group of the storage object at `path` from what it was to what it must be.

    LUNs of a group that is removed fall back to the kernel's own.
    """
    directory = f"{path}/alua/{MARK}"
    known = before if now is not None and before is not None and before.id == now.id else None
    if known is None and files.is_directory(directory):
        os.rmdir(directory)  # noqa: PTH106
    if now is None:
        return
    if known is None:
        os.mkdir(directory)  # noqa: PTH102
        files.write_file(f"{directory}/tg_pt_gp_id", str(now.id))
    if known is None or not known.intact:
        for file, (written, _) in _COMMON.items():
            files.write_file(f"{directory}/{file}", written)
    if known is None or known.preferred != now.preferred:
        files.write_file(f"{directory}/preferred", str(int(now.preferred)))
    if known is None or known.state != now.state:
        files.write_file(f"{directory}/alua_access_state", str(_NUMBERS[now.state]))


def set_lun_group(path: str, group: int) -> None:
    """Let the LUN at `path` belong to our group of its storage object, with 0 to the kernel's own."""
    files.write_file(f"{path}/alua_tg_pt_gp", MARK if group else "NULL")
