"""A Vagrant box of Debian 13 for libvirt with all packages of the cluster's machines."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from lab.build.cache import progress
from lab.build.root import box as box_root
from lab.result import run

NAME = "lunmapd/trixie"
_GIB = 8
# The image has no boot loader: the kernel and its arguments come with the box. tsc=reliable: emulated, the
# clock is watched in vain; lsm=capability: no AppArmor, whose start costs seconds.
_VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.provider :libvirt do |libvirt|
    libvirt.kernel = File.expand_path("vmlinuz", __dir__)
    libvirt.initrd = File.expand_path("initrd.img", __dir__)
    libvirt.cmd_line = "root=/dev/vda rw net.ifnames=0 console=ttyS0 quiet mitigations=off lsm=capability tsc=reliable"
  end
end
"""


def build(directory: Path) -> Path:
    """Return the box in `directory`; its root is built once. Raises BuildFailed, HostUnfit, CommandFailed."""
    root = box_root()
    directory.mkdir(parents=True, exist_ok=True)
    box = directory / "lunmapd-trixie.box"
    with (
        progress(f"packing {box}"),
        tempfile.TemporaryDirectory(dir=directory, prefix=".box-") as name,
    ):
        _pack(root, Path(name), box)
    return box


def _pack(root: Path, work: Path, box: Path) -> None:
    (work / "Vagrantfile").write_text(_VAGRANTFILE)
    (work / "metadata.json").write_text(
        json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": _GIB})
    )
    for name in ("vmlinuz", "initrd.img"):
        (newest,) = (root / "boot").glob(f"{name}-*")
        shutil.copy(newest, work / name)
    disk = work / "disk"
    filesystem = ["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0"]
    run(["mke2fs", *filesystem, "-d", str(root), str(disk), f"{_GIB}G"], timeout=300)
    run(["qemu-img", "convert", "-O", "qcow2", str(disk), str(work / "box.img")], timeout=300)
    disk.unlink()
    part = box.with_suffix(".part")
    with tarfile.open(part, "w") as archive:
        for path in sorted(work.iterdir()):
            archive.add(path, path.name)
    part.replace(box)
