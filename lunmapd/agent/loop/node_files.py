"""The files on a node's own disk that a cycle uses, besides the local snapshot."""

from collections.abc import Callable

from msgspec import Struct

from lunmapd.agent.loop.daemon_state import DaemonFile
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile
from lunmapd.core.secrets.sealing import Keyring


class NodeFiles(Struct, frozen=True):
    """Each call of `keys` reads the key file; it raises LunmapdError for a file that must not be used.

    Without `targetctl` its files are not read. Without `seen`, nothing counts as drift that was there when
    the daemon started. Without `state`, `lunmapd plan` does not know of this daemon. Without `addresses` the
    node does not remember which Luns hosts may still hold.
    """

    claims: Claims
    keys: Callable[[], Keyring] = Keyring
    targetctl: Targetctl | None = None
    seen: SeenFile | None = None
    state: DaemonFile | None = None
    addresses: AddressKeeper | None = None
