"""Runs in the storage node: takes away a LUN whose I/O hangs, adds another, and says what came of it."""

import json
import subprocess
import sys
import time

from lunmapd.core import lio
from lunmapd.core.plan import plan
from lunmapd.core.project import STORAGE_ATTRIBUTES
from lunmapd.lio.kernel import Deadlines, Kernel

_PATIENCE = 60.0


def main(added: str) -> None:
    """Do one pass, another while it hangs, and more when it does not hang any more; print all as JSON."""
    kernel = Kernel(deadlines=Deadlines(step=3.0, observe=20.0))
    before = kernel.observe(frozenset()).objects
    (hanging,) = (item for item in before.values() if isinstance(item, lio.StorageObject))
    (lun,) = (item for item in before.values() if isinstance(item, lio.TpgLun))
    attributes = dict.fromkeys(STORAGE_ATTRIBUTES["fileio"], "0")
    new = lio.StorageObject("new", "fileio", added, 1 << 20, "b" * 32, tuple(attributes.items()))
    kept = {name: item for name, item in before.items() if lio.lun_of(item) != hanging.name}
    desired = kept | lio.keyed((new, lio.TpgLun(lun.iqn, lun.tag, "new")))
    first, second = _one_pass(kernel, desired), _one_pass(kernel, desired)
    subprocess.run(["dmsetup", "resume", "slow"], check=True)
    deadline = time.monotonic() + _PATIENCE
    while (last := _one_pass(kernel, desired)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [str(step) for step in plan(desired, kernel.observe(frozenset()).objects)]
    kernel.close()
    sys.stdout.write(json.dumps({"first": first, "second": second, "last": last, "left": left}))


def _one_pass(kernel: Kernel, desired: lio.Objects) -> dict[str, list[str]]:
    reports = kernel.apply(plan(desired, kernel.observe(frozenset()).objects))
    return {
        lio.show_key(lio.key(report.step.item)): [report.failure.reason, report.failure.message]
        for report in reports
        if report.failure
    }


main(*sys.argv[1:])
