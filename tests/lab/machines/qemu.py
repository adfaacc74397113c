"""Machines as QEMU guests, for processors on which no User-Mode Linux kernel runs; slow without KVM."""

from __future__ import annotations

import hashlib
import os
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.build import initramfs
from lab.build.cache import build_once, cache_directory
from lab.sandbox import Bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.machines.driver import Spec

_INIT = Path(__file__).parents[1] / "guest" / "initramfs-init"
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "9p", "9pnet_virtio", "overlay", "ext4", "configfs")
_TCG_SLOWNESS = 15.0


@dataclass(frozen=True)
class Qemu:
    """The QEMU driver over `root`, which holds the emulator and a kernel; `boot` holds the initramfs."""

    root: Path
    version: str
    boot: Path
    kvm: bool
    name: str = "qemu"

    @property
    def slowness(self) -> float:
        """By what to multiply deadlines: emulated code is slow."""
        return 1.0 if self.kvm else _TCG_SLOWNESS

    def binds(self) -> Sequence[Bind]:
        """Show the initramfs; emulator, kernel and modules are in the root."""
        return [Bind(self.boot, "/lab/kernel")]

    def command(self, spec: Spec) -> list[str]:
        """Return the emulator's command line: only the devices of the lab, the console on standard output."""
        machine = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
        accelerator = (
            ["-accel", "kvm", "-cpu", "host"] if self.kvm else ["-accel", "tcg", "-cpu", "max,cx16=off"]
        )
        size = ["-m", spec.memory, "-smp", str(spec.cpus), "-serial", "stdio", "-monitor", "none"]
        arguments = f"console=ttyS0 loglevel=4 panic=-1 net.ifnames=0 mitigations=off lab_machine={spec.name}"
        kernel = [
            "-kernel",
            f"/boot/vmlinuz-{self.version}",
            "-initrd",
            "/lab/kernel/initramfs",
            "-append",
            arguments,
        ]
        return [*machine, *accelerator, *size, *kernel, *_shares(), *_wires(spec), *_disks(spec)]

    def device(self, index: int) -> str:
        """Return the name of a virtio block device."""
        return f"vd{string.ascii_lowercase[index]}"

    def interfaces(self) -> tuple[str, str]:
        """Return the names of the virtio network devices."""
        return "eth0", "eth1"

    def shared(self, directory: str) -> str:
        """Return the arguments of mount(8) for a directory below /lab of the sandbox."""
        return f"-t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 {directory}"


def qemu(root: Path) -> Qemu:
    """Return the driver for the kernel in `root`; make its initramfs if need be."""
    (version,) = (path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
    content = [
        root.name.encode(),
        _INIT.read_bytes(),
        Path(initramfs.__file__).read_bytes(),
        repr(_MODULES).encode(),
    ]
    digest = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]

    def build(target: Path) -> None:
        target.mkdir()
        initramfs.write(target / "initramfs", root, version, _MODULES, _INIT)

    boot = build_once(cache_directory() / "initramfs" / digest, build, "the initramfs of QEMU machines")
    return Qemu(root, version, boot, _kvm_usable())


def _kvm_usable() -> bool:
    """Return whether the processor can virtualise; an existing /dev/kvm is no proof."""
    flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return flags is not None and os.access("/dev/kvm", os.R_OK | os.W_OK)


def _shares() -> list[str]:
    """Export the sandbox and, each as a file system of its own, what machines overlay."""
    directories = {"sandbox": "/", "root": "/lab/root", "layer": "/lab/layer"}
    options = "security_model=none,readonly=on,multidevs=remap"
    shares = (f"local,path={path},mount_tag={tag},{options}" for tag, path in directories.items())
    return [word for share in shares for word in ("-virtfs", share)]


def _wires(spec: Spec) -> list[str]:
    words = []
    place = spec.place
    for port, mac in ((place.data_port, place.data_mac), (place.mgmt_port, place.mgmt_mac)):
        words += ["-netdev", f"tap,id={port},ifname={port},script=no,downscript=no"]
        words += ["-device", f"virtio-net-pci,netdev={port},mac={mac},romfile="]
    return words


def _disks(spec: Spec) -> list[str]:
    words = []
    for disk in spec.disks:
        cache = "writethrough" if disk.shared else "writeback"
        words += [
            "-drive",
            f"file={disk.inside},format=raw,if=none,id={disk.name},cache={cache},file.locking=off",
        ]
        words += ["-device", f"virtio-blk-pci,drive={disk.name},share-rw=on"]
    return words
