"""What a node has on its own disk: its claims, its past, the keys that open the secrets of the map, and what another tool keeps there."""

from collections.abc import Callable

from msgspec import Struct

from lunmapd.agent.loop.daemon_state import DaemonFile
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile
from lunmapd.core.secrets.sealing import Keyring


class NodeFiles(Struct, frozen=True):
    """`keys` reads the key file anew each time; it raises LunmapdError for one that must not be used.

    Without `rival` nobody else is looked for; without `past` nothing that was there at the start of the daemon counts as drift;
    without `state` `lunmapd plan` does not know of this daemon.
    """

    claims: Claims
    keys: Callable[[], Keyring] = Keyring
    rival: Targetctl | None = None
    past: SeenFile | None = None
    state: DaemonFile | None = None
