"""The arguments that name a section of the map and an object of it."""

from typing import TYPE_CHECKING

import click

from lunmapd.core.base.sections import SECTION_NAMES, Section
from lunmapd.core.base.text import nearest, suggestion

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap

_WORDS: dict[str, Section] = {
    **{section: section for section in SECTION_NAMES},
    **{section.removesuffix("s"): section for section in SECTION_NAMES},
    "hosts": "initiators",
    "host": "initiators",
}

section_argument = click.argument("section", metavar=f"[{'|'.join(SECTION_NAMES)}]", required=False)


def section_and_name(word: str | None, name: str | None) -> tuple[Section | None, str | None]:
    """Return the section that a word stands for, and the name: `lun db1` and `luns/db1` stand for both.

    Raises UsageError.
    """
    if word is None:
        return None, None
    first, _, rest = word.partition("/")
    section = _WORDS.get(first)
    if section is not None and not (rest and name):
        return section, rest or name
    near = suggestion(nearest(word, _WORDS)) or "."
    names = ", ".join(SECTION_NAMES)
    raise click.UsageError(
        f"there is no section {word!r}{near} The sections are {names}; the name of an "
        "object follows its section"
    )


def object_path(lunmap: "Lunmap", word: str) -> str:
    """Return the path of an object for a word of the admin: `luns/db1`, `lun/db1` or `db1`.

    An object that the map has no more needs its section. Raises NoSuchNameError for a word that stands for
    several objects.
    """
    first, _, rest = word.partition("/")
    if rest:
        section = _WORDS.get(first)
        return word if section is None else f"{section}/{full_name(lunmap, section, rest)}"
    found = [(section, full_name(lunmap, section, word)) for section in SECTION_NAMES]
    paths = [f"{section}/{name}" for section, name in found if name in lunmap.section(section)]
    if len(paths) > 1:
        from lunmapd.core.map.short_names import NoSuchNameError

        raise NoSuchNameError(f"{word!r} stands for several: write {' or '.join(paths)}")
    return paths[0] if paths else word


def full_name(lunmap: "Lunmap", section: Section | None, name: str | None) -> str | None:
    """Return the name of an object for a word of the admin: a host or target also has short names.

    Raises NoSuchNameError if several objects have the short name.
    """
    if name is None or section not in {"initiators", "targets"}:
        return name
    from lunmapd.core.map.short_names import find_name

    return find_name(name, lunmap.initiators if section == "initiators" else lunmap.targets) or name
