"""The test lab: machines with a real LIO kernel, as processes on this host."""

from lab.ensemble import Ensemble, Server
from lab.errors import (
    BuildFailed,
    CommandFailed,
    CommandTimeout,
    HostUnfit,
    LabError,
    MachineUnreachable,
    StartFailed,
    WaitTimeout,
)
from lab.lab import Lab
from lab.machines.disk import Disk
from lab.machines.initiator import Initiator, Map, Path, Session
from lab.machines.io import Progress, VerifiedIO
from lab.machines.machine import Machine
from lab.result import Result
from lab.wait import wait_for, wait_until

__all__ = [
    "BuildFailed",
    "CommandFailed",
    "CommandTimeout",
    "Disk",
    "Ensemble",
    "HostUnfit",
    "Initiator",
    "Lab",
    "LabError",
    "Machine",
    "MachineUnreachable",
    "Map",
    "Path",
    "Progress",
    "Result",
    "Server",
    "Session",
    "StartFailed",
    "VerifiedIO",
    "WaitTimeout",
    "wait_for",
    "wait_until",
]
