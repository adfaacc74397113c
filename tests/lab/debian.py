"""Debian 13 as the host of a command of the working tree, with Debian's Python packages and lunmapd.

Only the file system is Debian 13's. Network, PIDs, /dev and the lab's cache are those of the host, so that
the command can open labs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.build.apt import settings
from lab.build.cache import cache_directory
from lab.build.project import layer
from lab.build.root import root, testbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PASSED_ON = ("CI", "TERM", "LUNMAPD_", "http_proxy", "https_proxy", "no_proxy")
# The lower layers are read-only and shared; what the command writes outside the tree and the cache is lost.
_ENTER = """
lower=$1 tree=$2 cache=$3 apt=$4
shift 4
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$lower,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
for each in dev proc sys; do
    mount --rbind "/$each" "/mnt/root/$each"
done
for each in tmp run; do
    mount -t tmpfs tmpfs "/mnt/root/$each"
done
for each in "$tree" "$cache"; do
    mkdir -p "/mnt/root$each"
    mount --bind "$each" "/mnt/root$each"
done
cp /etc/hosts /etc/resolv.conf /mnt/root/etc/
printf '%s\\n' "$apt" >/mnt/root/etc/apt/apt.conf.d/99host
chroot /mnt/root apt-get update --quiet=2
exec chroot /mnt/root sh -euc 'cd "$1"; shift; exec "$@"' sh "$tree" "$@"
"""


def command(tree: Path, argv: Sequence[str]) -> list[str]:
    """Return the host's command that runs `argv` in Debian 13, in the directory `tree`.

    It runs in a mount namespace of its own; nothing is left mounted when it has ended. Raises BuildFailed,
    HostUnfit.
    """
    lower = f"{layer(tree, root())}:{testbed()}"
    namespace = ["unshare", "--mount", "--fork", "--kill-child"]
    arguments = [lower, str(tree), str(cache_directory()), "\n".join(settings())]
    return [*namespace, "sh", "-euc", _ENTER, "sh", *arguments, *argv]


def environment() -> Mapping[str, str]:
    """Return the environment of the command: settings of the tests and proxies, none of the host's Python."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**kept, "PATH": path, "PYTHONPATH": "tests", "HOME": "/root", "LANG": "C.UTF-8"}
