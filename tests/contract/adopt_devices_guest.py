"""Runs in the machine: adopts a SCSI device and a program's device, and makes them anew as after a boot."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace
from rtslib_fb.tcm import PSCSIStorageObject, StorageObject, UserBackedStorageObject

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import Plan, plan
from lunmapd.lio.apply.apply import apply_step
from lunmapd.lio.apply.luns import begin_batch, prepare_lun
from lunmapd.lio.apply.mark import mark_adopted
from lunmapd.lio.observe.observe import kernel_features, observe_lio
from lunmapd.lio.observe.observe_foreign import observe_foreign

ROOT = Path("/sys/kernel/config/target")
IQN, HOST = "iqn.2020-01.org.example:theirs", "iqn.2020-01.org.example:host"
TPG = ROOT / "iscsi" / IQN / "tpgt_1"
ACL = TPG / "acls" / HOST


def export(*devices: StorageObject) -> None:
    """Make a target with these storage objects, under LUN numbers that are not the lowest ones."""
    for directory in (TPG.parent, TPG, TPG / "np/127.0.0.1:3260", ACL):
        directory.mkdir()
    for number, device in enumerate(devices, 5):
        lun, mapped = TPG / f"lun/lun_{number}", ACL / f"lun_{number}"
        lun.mkdir()
        (lun / "it").symlink_to(device.path)
        mapped.mkdir()
        (mapped / "it").symlink_to(lun)
        (mapped / "write_protect").write_text("0")
    (TPG / "attrib/authentication").write_text("0")
    (TPG / "enable").write_text("1")


def execute(steps: Plan) -> list[str]:
    """Execute the steps on what is observed now, while this process has the program's device open."""
    index = observe_lio(ROOT, frozenset({IQN})).index
    with ExitStack() as handlers:
        known = set[Path]()
        for step in steps:
            for device in set(Path("/dev").glob("uio*")) - known:
                known.add(device)
                handlers.enter_context(device.open("rb", buffering=0))
            begin_batch(index)
            prepare_lun(step, index)
            apply_step(step, index)
    return [str(step) for step in steps]


export(
    PSCSIStorageObject("disk", "/dev/sda"),
    UserBackedStorageObject("program", "lab/config", 1 << 20, "0b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e"),
)
found = observe_foreign(ROOT)
made = adopt(found, "n1")
# A commit gives a SCSI device its serial.
luns = {name: replace(lun, serial=lun.serial or "5" * 32) for name, lun in made.lunmap.luns.items()}
wanted = project_map(replace(made.lunmap, luns=luns), "n1", kernel_features())
before = [str(step) for step in plan(wanted, as_ours(found, wanted))]
mark_adopted(ROOT, found, wanted)
settled = execute(plan(wanted, observe_lio(ROOT, frozenset({IQN})).observed.objects))
execute(plan({}, observe_lio(ROOT, frozenset({IQN})).observed.objects))
execute(plan(wanted, observe_lio(ROOT, frozenset({IQN})).observed.objects))
after = [str(step) for step in plan(wanted, observe_lio(ROOT, frozenset({IQN})).observed.objects)]
execute(plan({}, observe_lio(ROOT, frozenset({IQN})).observed.objects))
shown = {
    "refused": dict(made.refused),
    "backings": {name: type(lun.backing).__name__ for name, lun in made.lunmap.luns.items()},
    "before": before,
    "settled": settled,
    "after": after,
}
sys.stdout.write(json.dumps(shown))
