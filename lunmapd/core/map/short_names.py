"""Short forms of iSCSI names, and the objects that a word of the admin stands for."""

from collections import Counter
from collections.abc import Collection, Mapping

from msgspec import Struct

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Initiator, Lunmap, Target
from lunmapd.core.base.text import first_of, nearest, suggestion

_MAX_NAMED = 5


class NoSuchNameError(LunmapdError):
    """A word stands for no object of the map, or for several."""

    exit_code = Exit.USAGE


class ShortNames(Struct, frozen=True):
    """The short forms of the names of targets and initiators; a name without one stands for itself."""

    targets: Mapping[str, str] = {}
    initiators: Mapping[str, str] = {}

    def target(self, name: str) -> str:
        """Return the short form of a target's name."""
        return self.targets.get(name, name)

    def initiator(self, name: str) -> str:
        """Return the short form of an initiator's name."""
        return self.initiators.get(name, name)


FULL_NAMES = ShortNames()


def short_names(*maps: Lunmap) -> ShortNames:
    """Return the short forms that are unique in all the maps together."""
    return ShortNames(
        shorten_names({name for lunmap in maps for name in lunmap.targets}),
        shorten_names({name for lunmap in maps for name in lunmap.initiators}),
    )


def shorten_names(names: Collection[str]) -> dict[str, str]:
    """Return the part after the last colon, by the name, of those names that are the only ones with it."""
    parts = {name: last_part(name) for name in names}
    counts = Counter(parts.values())
    return {name: part for name, part in parts.items() if counts[part] == 1 and (part not in parts)}


def last_part(name: str) -> str:
    """Return the part of an iSCSI name after its last colon, the whole name if nothing is there."""
    return name.rpartition(":")[2] or name


def find_name(word: str, known: Mapping[str, Target] | Mapping[str, Initiator]) -> str:
    """Return the name that a word stands for, "" for none.

    It is the name itself, else the only one whose alias or last part is the word. Raises NoSuchNameError if
    there are several of these.
    """
    if not word or word in known:
        return word
    found = sorted(name for name, item in known.items() if word in {item.alias, last_part(name)})
    if len(found) > 1:
        raise NoSuchNameError(f"{word!r} stands for several: {first_of(found, _MAX_NAMED)}; write the name")
    return found[0] if found else ""


def resolve_name(word: str, known: Mapping[str, Target] | Mapping[str, Initiator], kind: str) -> str:
    """Return the name that a word stands for; `kind` is for the message. Raises NoSuchNameError."""
    if name := find_name(word, known):
        return name
    near = nearest(
        word, {*known, *map(last_part, known), *filter(None, (item.alias for item in known.values()))}
    )
    raise no_such_name(kind, word, near)


def no_such_name(kind: str, word: str, near: str) -> NoSuchNameError:
    """Return the error about a word that stands for no object of a kind, `near` being the nearest name."""
    listed = suggestion(near) or f"; 'lunmapctl get {kind.lower()}s' lists them"
    return NoSuchNameError(f"the map has no {kind} {word!r}{listed}")
