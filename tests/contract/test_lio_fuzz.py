"""The random sequences of the fuzz layer on a kernel, in the machine of the contract tests."""

import pytest

from contract.implementations import RealImplementation
from fuzz.machine import fuzz_kernel
from lab import Machine

pytestmark = pytest.mark.kernel
STEPS = 100


def test_every_law_is_kept_on_a_kernel(machine: Machine) -> None:
    """No sequence breaks a law of tests/fuzz/laws.py, as read from the kernel's own configfs."""
    RealImplementation(machine).close()
    result = fuzz_kernel(machine, 0, STEPS)
    assert result.status == 0, result.stdout + result.stderr
