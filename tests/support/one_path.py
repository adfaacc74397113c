"""Sets an initiator of the lab up as docs/single-path-hosts.md recommends for a host with one path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab import Initiator

# login_timeout is 5 in the lab anyway, and I/O waits for 60 checks of a path (tests/lab/guest).
_SUIT = """
set -e
sysctl -qw net.ipv4.neigh.data0.mcast_solicit=20
sed -i 's/fast_io_fail_tmo .*/fast_io_fail_tmo 60/' /etc/multipath.conf
sed -i 's/noop_out_interval = .*/noop_out_interval = 2/' /etc/iscsi/iscsid.conf
multipathd reconfigure
"""


def suit_one_path(initiator: Initiator) -> None:
    """Set a host up for sessions of one path, before it discovers their target."""
    initiator.machine.run(_SUIT)
