"""The process that carries out what leases decide, beside the passes: `python -m lunmapd.lio.worker.switch`.

Each line of stdin is a SwitchRequest; each line of stdout is a SwitchAnswer, in the order of the answers.
It enables and disables the TPGs of floating groups, sets the ALUA states of takeover groups (lun_states.py),
and lets hooks promote and demote storage (hook_lease.py). Each request has a thread of its own, since
disabling a TPG waits for its commands (iscsit_tpg_disable_portal_group in
drivers/target/iscsi/iscsi_target_tpg.c). The worker may be busy with a pass for minutes.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct, json

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.floating.promotion import HookCall, HookReport
from lunmapd.core.node.governed import MARK
from lunmapd.lio.base import files
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.worker.hook_lease import HookLeases
from lunmapd.lio.worker.lun_states import LunLeases, read_states
from lunmapd.lio.worker.run_hook import RunHook, run_hook
from lunmapd.lio.worker.threads import serve_in_threads

CONFIGFS = "/sys/kernel/config/target"


class SwitchAction(StrEnum):
    """What is done with a TPG, with the Luns of a group, or with their storage by a hook.

    All of them read the states afterwards.
    """

    READ = "read"
    ENABLE = "enable"
    DISABLE = "disable"
    READ_LUNS = "read Luns"
    OPEN_LUNS = "open Luns"
    CLOSE_LUNS = "close Luns"
    READ_HOOK = "read hook"
    PROMOTE = "promote"
    DEMOTE = "demote"
    FORGET_HOOK = "forget hook"


class SwitchRequest(Struct, frozen=True):
    """A request about a TPG, about the Luns of a takeover group, or about a group's hook.

    `port_id` is the relative target port id, for enabling. `luns` are the Luns of the group `group`, with
    their states while they are closed. They are opened `until` a time, by a call that begins not later than
    `not_after` (CLOCK_BOOTTIME, in seconds). `hook` is that of the group.
    """

    number: int
    action: SwitchAction
    iqn: str = ""
    tag: int = 0
    port_id: int = 0
    group: str = ""
    luns: Mapping[str, AluaState] = {}
    not_after: float = 0.0
    until: float = 0.0
    hook: HookCall | None = None


class SwitchAnswer(Struct, frozen=True):
    """The answer to the request `number`: whether the TPG is enabled, and the error, "" without one.

    `foreign`: another tool has made the target, so nothing was done. `states` are those of the Luns that LIO
    has, `hook` is how far the storage of a group with a hook is.
    """

    number: int
    enabled: bool
    error: str = ""
    foreign: bool = False
    states: Mapping[str, str] = {}
    hook: HookReport | None = None


encode_switch_line = json.Encoder().encode
decode_switch_request = json.Decoder(SwitchRequest).decode
decode_switch_answer = json.Decoder(SwitchAnswer).decode


def switch(request: SwitchRequest, root: str = CONFIGFS) -> SwitchAnswer:
    """Carry out a request. A missing TPG is not enabled, so there is nothing to disable."""
    path = f"{root}/{tpg_path(request.iqn, request.tag)}"
    try:
        if _is_foreign(f"{root}/iscsi/{request.iqn}"):
            return SwitchAnswer(request.number, enabled=False, foreign=True)
        enabled = files.read_file(f"{path}/enable") == "1"
        if request.action is SwitchAction.ENABLE and not enabled:
            _enable(path, request.port_id)
        elif request.action is SwitchAction.DISABLE and enabled:
            files.write_file(f"{path}/enable", "0")
        return SwitchAnswer(request.number, files.read_file(f"{path}/enable") == "1")
    except OSError as error:
        return SwitchAnswer(request.number, enabled=False, error=str(error))


def _is_foreign(target: str) -> bool:
    """Return whether the target has TPGs, and none has lunmapd's mark."""
    tpgs = [name for name in files.list_directories(target) if name.startswith("tpgt_")]
    aliases = (files.read_file(f"{target}/{name}/param/TargetAlias") for name in tpgs)
    return bool(tpgs) and MARK not in aliases


def _enable(path: str, port_id: int) -> None:
    """Enable a TPG. The kernel accepts a port id only while it is disabled; older kernels have no `rtpi`."""
    if port_id and files.read_file(f"{path}/rtpi") is not None:
        files.write_file(f"{path}/rtpi", str(port_id))
    files.write_file(f"{path}/enable", "1")


def switch_luns(request: SwitchRequest, leases: LunLeases) -> SwitchAnswer:
    """Carry out a request about Luns. One that LIO does not have is left out."""
    try:
        lease = leases.of(request.group)
        if request.action is SwitchAction.OPEN_LUNS:
            lease.open(request.luns, request.not_after, request.until)
        elif request.action is SwitchAction.CLOSE_LUNS:
            lease.close(request.luns)
        else:
            lease.adopt(request.luns)
        states = read_states(leases.directories, request.luns)
        return SwitchAnswer(request.number, enabled=False, states=states)
    except OSError as error:
        return SwitchAnswer(request.number, enabled=False, error=str(error))


def switch_hook(request: SwitchRequest, hooks: HookLeases) -> SwitchAnswer:
    """Carry out a request about a hook."""
    if request.hook is None:
        hooks.forget(request.group)
        return SwitchAnswer(request.number, enabled=False)
    lease = hooks.of(request.group, request.hook.name)
    try:
        if request.action is SwitchAction.PROMOTE:
            report = lease.promote(request.hook, request.not_after, request.until)
        elif request.action is SwitchAction.DEMOTE:
            report = lease.demote(request.hook)
        else:
            report = lease.read(request.hook)
    except TimeoutError as error:
        return SwitchAnswer(request.number, enabled=False, error=str(error))
    return SwitchAnswer(request.number, enabled=False, hook=report)


_OF_HOOKS = frozenset(
    {SwitchAction.READ_HOOK, SwitchAction.PROMOTE, SwitchAction.DEMOTE, SwitchAction.FORGET_HOOK}
)


def answer_any(root: str = CONFIGFS, run: RunHook = run_hook) -> Callable[[SwitchRequest], bytes]:
    """Return what carries out each request, with the leases of this process."""
    leases, hooks = LunLeases(root), HookLeases(run)

    def answer(request: SwitchRequest) -> bytes:
        if request.action in _OF_HOOKS:
            return encode_switch_line(switch_hook(request, hooks))
        done = switch_luns(request, leases) if request.group else switch(request, root)
        return encode_switch_line(done)

    return answer


if __name__ == "__main__":
    serve_in_threads(decode_switch_request, answer_any())
