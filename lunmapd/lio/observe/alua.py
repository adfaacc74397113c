"""The target port groups of a storage object: this node's ports to it, and their ALUA state.

Each device has a group of id 0 that the kernel makes, the default group. It has the same id on all nodes, so
initiators can't distinguish the states of the nodes; for a Lun of several nodes lunmapd makes its own group
beside it. Only the map changes the states of both groups (implicit ALUA): a state that an initiator sets
(SET TARGET PORT GROUPS) applies to all initiators, and is known to one node only.

Sources: SPC-4, section 5.15; drivers/target/target_core_alua.c. rtslib returns -1 and raises nothing if the
kernel refuses to put a LUN into a group, so the files are written here.
"""

import os
import re
from collections.abc import Mapping

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua, DefaultGroup
from lunmapd.core.node.governed import MARK
from lunmapd.lio.base import files
from lunmapd.lio.base.observation import Observation

_NUMBERS = {
    AluaState.OPTIMIZED: 0,
    AluaState.NON_OPTIMIZED: 1,
    AluaState.STANDBY: 2,
    AluaState.UNAVAILABLE: 3,
}
_SUPPORT = {
    AluaState.OPTIMIZED: "alua_support_active_optimized",
    AluaState.NON_OPTIMIZED: "alua_support_active_nonoptimized",
    AluaState.STANDBY: "alua_support_standby",
    AluaState.UNAVAILABLE: "alua_support_unavailable",
}
_STATES = {str(number): state for state, number in _NUMBERS.items()}
# File name to the value that is written and the value that is then read. The default of nonop_delay_msecs
# delays each command by 0.1 s in a state that is not optimized.
_COMMON = {"alua_access_type": ("1", "Implicit"), "nonop_delay_msecs": ("0", "0")}
_DEFAULT_NAME = "default_tg_pt_gp"
_DEFAULT = f"alua/{_DEFAULT_NAME}"
_DEFAULT_STATE, _DEFAULT_PREFERRED, _DEFAULT_TYPE = DEFAULT_GROUP_FILES = (
    f"{_DEFAULT}/alua_access_state",
    f"{_DEFAULT}/preferred",
    f"{_DEFAULT}/alua_access_type",
)
"""The files of the default group that `parse_default_group` needs, relative to the storage object."""
NEW_DEFAULT_GROUP: Mapping[str, str] = {_DEFAULT_TYPE: _COMMON["alua_access_type"][0]}
"""The files to write for a new device, as in DEFAULT_GROUP_FILES; the others are as desired already."""
LUN_GROUP = "alua_tg_pt_gp"
"""The file of a LUN that shows its target port group, and whether it answers."""
_LUN_OFFLINE = "alua_tg_pt_offline"
_ID = re.compile(r"TG Port Group ID: (\d+)")


def group_directory(path: str) -> str:
    """Return the directory of lunmapd's group of the storage object at `path`."""
    return f"{path}/alua/{MARK}"


def read_group(observation: Observation, path: str) -> Alua | None:
    """Read lunmapd's group of the storage object at `path`; None if there is none, or it is incomplete."""
    directory = group_directory(path)
    number = observation.read(f"{directory}/tg_pt_gp_id")
    state = observation.read(f"{directory}/alua_access_state")
    if not number or not state:
        return None
    intact = all(observation.read(f"{directory}/{file}") == shown for file, (_, shown) in _COMMON.items())
    name = _STATES[state].value if state in _STATES else state
    return Alua(int(number), name, observation.read(f"{directory}/preferred") == "1", intact)


def read_state(path: str) -> str:
    """Return the state of lunmapd's group of the storage object at `path`, "" without one. Raises OSError."""
    state = files.read_file(f"{group_directory(path)}/alua_access_state") or ""
    return _STATES[state].value if state in _STATES else state


def write_state(path: str, state: AluaState) -> None:
    """Write the state of lunmapd's group of the storage object at `path`. Raises OSError."""
    # The kernel refuses a state whose support bit somebody has cleared.
    files.write_file(f"{group_directory(path)}/{_SUPPORT[state]}", "1")
    files.write_file(f"{group_directory(path)}/alua_access_state", str(_NUMBERS[state]))


def parse_default_group(texts: Mapping[str, str]) -> DefaultGroup:
    """Return the default group of which `texts` are the files, by path relative to the storage object."""
    state = texts.get(_DEFAULT_STATE, "")
    group = DefaultGroup(
        str(_STATES.get(state, state)), texts.get(_DEFAULT_PREFERRED) == "1", texts.get(_DEFAULT_TYPE, "")
    )
    return DEFAULT_GROUP if group == DEFAULT_GROUP else group


def parse_lun_group(text: str) -> int:
    """Return the id of a LUN's group, from its file LUN_GROUP; 0 for the kernel's own group."""
    group = _ID.search(text)
    return int(group[1]) if group else 0


def is_lun_offline(text: str) -> bool:
    """Return whether a LUN answers no command, from its file LUN_GROUP.

    The file `alua_tg_pt_offline` shows the same flag (core_alua_show_tg_pt_gp_info and
    core_alua_show_offline_bit). A LUN without a group, whose file is empty, can't be offline
    (core_alua_store_offline_bit).
    """
    return "Secondary Access State: Offline" in text


def write_group(path: str, now: Alua | None, before: Alua | None) -> None:
    """Change the group of the storage object at `path` from `before` to `now`; None means no group.

    LUNs of a removed group fall back to the kernel's own group. Raises OSError.
    """
    directory = group_directory(path)
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
    is_owner = now.leased and known is not None and known.state == AluaState.OPTIMIZED
    if known is None or (known.state != now.state and not is_owner):
        write_state(path, AluaState(now.state))


def remove_groups(path: str) -> None:
    """Remove all groups of the storage object at `path`, except the kernel's own. Raises OSError."""
    for name in files.list_directories(f"{path}/alua"):
        if name != _DEFAULT_NAME:
            files.remove_directory(f"{path}/alua/{name}")


def write_default_group(path: str, before: DefaultGroup) -> None:
    """Change the default group of the storage object at `path` from `before` to the desired one.

    The access type is written first: the kernel refuses a state while implicit ALUA is off. Raises OSError.
    """
    now = DEFAULT_GROUP
    if before.access_type != now.access_type:
        files.write_file(f"{path}/{_DEFAULT_TYPE}", _COMMON["alua_access_type"][0])
    if before.preferred != now.preferred:
        files.write_file(f"{path}/{_DEFAULT_PREFERRED}", "0")
    if before.state != now.state:
        files.write_file(f"{path}/{_DEFAULT_STATE}", str(_NUMBERS[AluaState.OPTIMIZED]))


def set_lun_online(path: str) -> None:
    """Let the LUN at `path` answer commands again. Raises OSError."""
    files.write_file(f"{path}/{_LUN_OFFLINE}", "0")


def set_lun_group(path: str, group: int) -> None:
    """Put the LUN at `path` into lunmapd's group of its storage object, with 0 into the kernel's own group.

    Raises OSError.
    """
    files.write_file(f"{path}/{LUN_GROUP}", MARK if group else "NULL")
