"""Runs in the machine: changes each file below lunmapd's objects in turn, and shows which changes stay.

It reads the desired objects from stdin, and prints the files whose change was not noticed, those that were
not put back, and how many took another value.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import json

from contract.settings_guest import ROOT, change, read, settings
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan, plan
from lunmapd.lio.worker.kernel import Kernel
from lunmapd.lio.worker.wire import ObservedAnswer

# Commands, and notes of tools. A user or password alone has no effect on an ACL without CHAP.
_NO_SETTINGS = {"udev_path", "control", "userid", "password", "userid_mutual", "password_mutual"}
_VALUES = ("1", "0", "2", "3", "8", "64", "1024", "65536", "No", "Yes", "None", "CRC32C", "word", "NULL")

GIVEN = json.decode(sys.stdin.buffer.read(), type=ObservedAnswer)
DESIRED = lio_objects.complete_objects({lio_objects.key_of(item): item for item in GIVEN.objects})
CLAIMS = frozenset(GIVEN.foreign)
KERNEL = Kernel()


def _plan(desired: lio_objects.DesiredObjects) -> Plan:
    return plan(desired, KERNEL.observe(CLAIMS).objects)


def _apply(desired: lio_objects.DesiredObjects) -> list[StepOutcome]:
    return list(KERNEL.apply(_plan(desired)))


def _changes(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield each file that takes another value, and what became of it."""
    for file in files:
        before = read(file)
        if not change(file, _VALUES):
            continue
        name = str(file.relative_to(ROOT))
        if not _plan(DESIRED):
            yield name, "unnoticed"
        else:
            _apply(DESIRED)
            put_back = not file.exists() or read(file) == before
            yield name, "repaired" if put_back and not _plan(DESIRED) else "not put back"
        if file.exists() and read(file) != before:
            _apply({})
            _apply(DESIRED)


assert not [outcome for outcome in _apply(DESIRED) if outcome.failure]
FILES = [
    file for file in settings([ROOT / "core", *ROOT.glob("iscsi/iqn*")]) if file.name not in _NO_SETTINGS
]
FATES = dict(_changes(FILES))
_apply({})
KERNEL.close()
sys.stdout.write(json.encode(FATES).decode())
