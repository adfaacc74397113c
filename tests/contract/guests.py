"""Running the guests that change settings: programs for a machine, which has no other file of the tests."""

from pathlib import Path

from lab import Machine

_HERE = Path(__file__).parent
_SHARED = "settings_guest.py"


def run_guest(machine: Machine, name: str, data: bytes = b"") -> str:
    """Run a guest of this folder in the machine, with `data` as its input; return what it prints."""
    for file in (name, _SHARED):
        machine.put(f"/run/contract/{file}", (_HERE / file).read_text(encoding="utf-8"))
    command = f"PYTHONPATH=/run python3 -W ignore /run/contract/{name}"
    return machine.run(command, input=data).stdout
