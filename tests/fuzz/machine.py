"""Running sequences in a machine of the lab, on its kernel; see fuzz.guest."""

from pathlib import Path

from lab import Machine
from lab.result import Result

_HERE = Path(__file__).parent
_SECONDS = 6 * 3600.0


def fuzz_kernel(machine: Machine, seed: int, steps: int) -> Result:
    """Run the sequences of `seed` and the seeds after it until so many steps were made.

    LIO of the machine must be empty. The status is 0 if every law was kept.
    """
    for file in sorted(_HERE.glob("*.py")):
        machine.put(f"/run/fuzz/{file.name}", file.read_text(encoding="utf-8"))
    command = f"PYTHONPATH=/run python3 -W ignore -m fuzz.guest {seed} {steps}"
    return machine.run(command, timeout=_SECONDS, check=False)
