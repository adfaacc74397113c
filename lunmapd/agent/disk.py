"""What a node has on its own disk: its claims, the keys that open the secrets of the map, and what another tool keeps there."""

from collections.abc import Callable

from msgspec import Struct

from lunmapd.agent.claims import Claims
from lunmapd.agent.rival import Rival
from lunmapd.core.secrets import Keyring


class Local(Struct, frozen=True):
    """`keys` reads the key file anew each time; it raises LunmapdError for one that must not be used. Without `rival` nobody else is looked for."""

    claims: Claims
    keys: Callable[[], Keyring] = Keyring
    rival: Rival | None = None
