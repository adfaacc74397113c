"""What a node has on its own disk: its claims, and the keys that open the secrets of the map."""

from collections.abc import Callable

from msgspec import Struct

from lunmapd.agent.claims import Claims
from lunmapd.core.secrets import Keyring


class Local(Struct, frozen=True):
    """`keys` reads the key file anew each time; it raises LunmapdError for one that must not be used."""

    claims: Claims
    keys: Callable[[], Keyring] = Keyring
