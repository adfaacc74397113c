"""The process that enables and disables TPGs of floating groups: `python -m lunmapd.lio.worker.switch`.

Each line of stdin is a SwitchRequest; each line of stdout is a SwitchAnswer, in the order of the answers.
Each request has a thread of its own, since disabling a TPG waits for its commands
(iscsit_tpg_disable_portal_group in drivers/target/iscsi/iscsi_target_tpg.c). The worker may be busy with a
pass for minutes.
"""

from enum import StrEnum

from msgspec import Struct, json

from lunmapd.lio.base import files
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.worker.threads import serve_in_threads

CONFIGFS = "/sys/kernel/config/target"


class SwitchAction(StrEnum):
    """What is done with a TPG; all of them read its state afterwards."""

    READ = "read"
    ENABLE = "enable"
    DISABLE = "disable"


class SwitchRequest(Struct, frozen=True):
    """A request about a TPG; `port_id` is its relative target port id, for enabling."""

    number: int
    action: SwitchAction
    iqn: str
    tag: int
    port_id: int = 0


class SwitchAnswer(Struct, frozen=True):
    """The answer to the request `number`: whether the TPG is enabled, and the error, "" without one."""

    number: int
    enabled: bool
    error: str = ""


encode_switch_line = json.Encoder().encode
decode_switch_request = json.Decoder(SwitchRequest).decode
decode_switch_answer = json.Decoder(SwitchAnswer).decode


def switch(request: SwitchRequest, root: str = CONFIGFS) -> SwitchAnswer:
    """Carry out a request. A missing TPG is not enabled, so there is nothing to disable."""
    path = f"{root}/{tpg_path(request.iqn, request.tag)}"
    try:
        enabled = files.read_file(f"{path}/enable") == "1"
        if request.action is SwitchAction.ENABLE and not enabled:
            _enable(path, request.port_id)
        elif request.action is SwitchAction.DISABLE and enabled:
            files.write_file(f"{path}/enable", "0")
        return SwitchAnswer(request.number, files.read_file(f"{path}/enable") == "1")
    except OSError as error:
        return SwitchAnswer(request.number, enabled=False, error=str(error))


def _enable(path: str, port_id: int) -> None:
    """Enable a TPG. The kernel accepts a port id only while it is disabled; older kernels have no `rtpi`."""
    if port_id and files.read_file(f"{path}/rtpi") is not None:
        files.write_file(f"{path}/rtpi", str(port_id))
    files.write_file(f"{path}/enable", "1")


def _answer(request: SwitchRequest) -> bytes:
    return encode_switch_line(switch(request))


if __name__ == "__main__":
    serve_in_threads(decode_switch_request, _answer)
