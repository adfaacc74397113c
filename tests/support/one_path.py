"""An initiator of the lab as a host with one path, set up as docs/single-path-hosts.md recommends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab import Initiator
    from lab.machines.initiator import Map

# login_timeout is 5 in the lab anyway (tests/lab/guest).
_SUIT = """
set -e
sysctl -qw net.ipv4.neigh.data0.mcast_solicit=20
sed -i 's/fast_io_fail_tmo .*/fast_io_fail_tmo 60/; s/no_path_retry .*/no_path_retry queue/' /etc/multipath.conf
sed -i 's/noop_out_interval = .*/noop_out_interval = 2/' /etc/iscsi/iscsid.conf
multipathd reconfigure
"""


def suit_one_path(initiator: Initiator) -> None:
    """Set a host up for sessions of one path, before it discovers their target."""
    initiator.machine.run(_SUIT)


def usable_device(initiator: Initiator, wwid: str = "") -> str:
    """Wait for a multipath device with a usable path, and of a WWID, if given; return its device node."""

    def usable(maps: list[Map]) -> list[str]:
        return [each.device for each in maps if each.usable_paths and wwid in {"", each.wwid}]

    return usable(initiator.wait_multipaths(lambda maps: bool(usable(maps))))[0]
