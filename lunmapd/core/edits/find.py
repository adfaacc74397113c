"""The objects of a map that the words of an admin stand for."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lunmapd.core.base.lunmap import Lunmap, Map
from lunmapd.core.base.sections import Section
from lunmapd.core.base.text import first_of, nearest
from lunmapd.core.edits.errors import ChoiceNeededError
from lunmapd.core.map.short_names import no_such_name, resolve_name, short_names

_MAX_NAMED = 5
GROUP_PREFIX = "group:"
"""The beginning of a word that stands for a group, where it could be a host too."""


class Grantee(NamedTuple):
    """The initiator or the group of a map; the other one is ""."""

    initiator: str = ""
    group: str = ""

    def __str__(self) -> str:
        return self.initiator or f"{GROUP_PREFIX}{self.group}"

    def has(self, entry: Map) -> bool:
        """Return whether a map is for exactly this initiator or group."""
        return (entry.initiator, entry.group) == self

    def members(self, lunmap: Lunmap) -> tuple[str, ...]:
        """Return the initiators."""
        return lunmap.groups[self.group].initiators if self.group else (self.initiator,)


def find_lun(lunmap: Lunmap, word: str) -> str:
    """Return the name of a Lun. Raises NoSuchNameError."""
    return _plain("Lun", word, lunmap.luns)


def find_node(lunmap: Lunmap, word: str) -> str:
    """Return the name of a node. Raises NoSuchNameError."""
    return _plain("node", word, lunmap.nodes)


def find_group(lunmap: Lunmap, word: str) -> str:
    """Return the name of a group. Raises NoSuchNameError."""
    return _plain("group", word.removeprefix(GROUP_PREFIX), lunmap.groups)


def find_host(lunmap: Lunmap, word: str) -> str:
    """Return the name of the initiator that a word stands for. Raises NoSuchNameError."""
    return resolve_name(word, lunmap.initiators, "initiator")


def find_grantee(lunmap: Lunmap, word: str) -> Grantee:
    """Return the initiator of a word, or the group of `group:NAME`. Raises NoSuchNameError."""
    if word.startswith(GROUP_PREFIX):
        return Grantee(group=find_group(lunmap, word))
    return Grantee(find_host(lunmap, word))


def find_target(lunmap: Lunmap, word: str = "") -> str:
    """Return the name of a target; "" stands for the only one.

    Raises NoSuchNameError, and ChoiceNeededError if "" could be several or none.
    """
    if word:
        return resolve_name(word, lunmap.targets, "target")
    if len(lunmap.targets) == 1:
        return next(iter(lunmap.targets))
    if not lunmap.targets:
        raise ChoiceNeededError("the map has no target: 'lunmapctl target create IQN --on NODE' makes one")
    names = short_names(lunmap)
    known = [names.target(name) for name in sorted(lunmap.targets)]
    raise ChoiceNeededError(f"the map has several targets ({first_of(known, _MAX_NAMED)}): add --target NAME")


def find_name_in(lunmap: Lunmap, section: Section, word: str) -> str:
    """Return the name of an object of a section. Raises NoSuchNameError."""
    finders: Mapping[Section, Callable[[Lunmap, str], str]] = {
        "luns": find_lun,
        "targets": find_target,
        "initiators": find_host,
        "groups": find_group,
        "nodes": find_node,
    }
    return finders[section](lunmap, word)


def _plain(kind: str, word: str, known: Iterable[str]) -> str:
    if word in known:
        return word
    raise no_such_name(kind, word, nearest(word, known))
