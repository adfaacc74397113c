"""The test lab: machines with a real LIO kernel, as processes on this host."""

from lab.disk import Disk
from lab.ensemble import Ensemble, Server
from lab.errors import (
    BuildFailed,
    CommandFailed,
    CommandTimeout,
    HostUnfit,
    LabError,
    MachineUnreachable,
    StartFailed,
)
from lab.lab import Lab
from lab.machine import Machine
from lab.result import Result

__all__ = [
    "BuildFailed",
    "CommandFailed",
    "CommandTimeout",
    "Disk",
    "Ensemble",
    "HostUnfit",
    "Lab",
    "LabError",
    "Machine",
    "MachineUnreachable",
    "Result",
    "Server",
    "StartFailed",
]
