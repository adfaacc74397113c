"""The errors of a lab; each message names the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.result import Result


class LabError(Exception):
    """The base of all errors of the lab."""


class HostUnfit(LabError):
    """This host lacks something that the lab needs; the message says how to get it."""


class BuildFailed(LabError):
    """A part that is built once (root, kernel, project layer) couldn't be built."""


class StartFailed(LabError):
    """A process of the lab (machine, server, namespaces) didn't become usable in time."""


class WaitTimeout(LabError):
    """An awaited condition didn't come true within `seconds`."""

    def __init__(self, what: str, seconds: float, seen: object) -> None:
        super().__init__(f"not within {seconds:g} s: {what}; last seen: {seen}")


class MachineUnreachable(LabError):
    """A machine is not running, or its management network doesn't answer."""


class CommandFailed(LabError):
    """A command ended with a status other than 0."""

    def __init__(self, where: str, command: str, result: Result) -> None:
        self.result = result
        super().__init__(
            f"{where}: status {result.status} from: {command}\n"
            f"--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}"
        )


class CommandTimeout(LabError):
    """A command didn't end within its deadline (seconds); it has been killed."""

    def __init__(self, where: str, command: str, seconds: float, output: str) -> None:
        self.seconds = seconds
        super().__init__(f"{where}: no end after {seconds:g} s: {command}\n--- output so far\n{output}")
