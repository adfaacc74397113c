"""The host, Lun or node that a word of the admin stands for."""

from typing import Literal

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.core.map.short_names import NoSuchNameError, find_name, short_names

ObjectSection = Literal["luns", "nodes", "initiators"]
_SECTIONS: tuple[ObjectSection, ...] = ("luns", "nodes", "initiators")


_LISTED = "; 'lunmapctl get' has all names"


def find_object(lunmap: Lunmap, word: str) -> tuple[ObjectSection, str]:
    """Return the section and the name that a word stands for; `luns/db1` names the section too.

    For a host its alias or the part after the last colon is enough. Raises NoSuchNameError for a word that
    stands for nothing, or for several objects.
    """
    first, _, rest = word.partition("/")
    kinds = [kind for kind in _SECTIONS if rest and first == kind]
    found = [(kind, _name(lunmap, kind, rest if kinds else word)) for kind in kinds or _SECTIONS]
    there = [(kind, name) for kind, name in found if name]
    if len(there) == 1:
        return there[0]
    if there:
        choices = " or ".join(f"{kind}/{name}" for kind, name in there)
        raise NoSuchNameError(f"{word!r} stands for several: write {choices}")
    near = nearest(word, {*lunmap.luns, *lunmap.nodes, *short_names(lunmap).initiators.values()})
    raise NoSuchNameError(f"the map has no host, Lun or node {word!r}{suggestion(near) or _LISTED}")


def _name(lunmap: Lunmap, kind: ObjectSection, word: str) -> str:
    if kind == "initiators":
        return find_name(word, lunmap.initiators)
    return word if word in lunmap.section(kind) else ""
