"""The base of a map file: the revision that it was made from, in its first comment, or by the key `base`.

`lunmapctl get` writes it. A commit of such a file keeps what other commits changed since that revision.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from lunmapd.core.base.documents import convert
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Lunmap
from lunmapd.core.history.changes import build_map

if TYPE_CHECKING:
    from lunmapd.core.map.source import YamlSource

_LINE = re.compile(r"# lunmap (\S+) incarnation (\d{1,18}) revision (\d{1,18})(?: only (\S+))?\s*")

_MARK = "\ufeff"
"""The byte order mark, which editors of Windows put before a text."""


class FileBase(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of a file: `revision` in the incarnation of a cluster's tree.

    `only` is the part of the map that the file has: a section (`luns`) or an object (`luns/db1`); "" is the
    whole map. Without `cluster` it is the cluster that the file is applied to.
    """

    revision: int
    cluster: str = ""
    incarnation: int = 0
    only: str = ""


def base_line(base: FileBase) -> str:
    """Return the comment that names a base; `base_of` is the inverse."""
    part = f" only {base.only}" if base.only else ""
    return f"# lunmap {base.cluster} incarnation {base.incarnation} revision {base.revision}{part}"


def base_of(source: "YamlSource") -> FileBase | None:
    """Return the base of a file that `parse_map` accepts: by its key `base`, else by a comment at its top."""
    given = source.value.get("base") if isinstance(source.value, dict) else None
    if given is not None:
        return convert(given, FileBase, ("base",))
    found = (_LINE.fullmatch(line) for line in _head(source.text.removeprefix(_MARK)))
    return next((_read(match) for match in found if match), None)


def _read(match: re.Match[str]) -> FileBase:
    return FileBase(int(match[3]), match[1], int(match[2]), match[4] or "")


def _head(text: str) -> Iterator[str]:
    """Yield the comments before anything else."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            return
        yield line


def with_base(text: str, old: FileBase, new: FileBase) -> str:
    """Return the text of a file with the comment of its base replaced, if it has one."""
    line = rf"(?m)^({_MARK}?){re.escape(base_line(old))}[ \t]*(?=\r?$)"
    return re.sub(line, lambda match: f"{match[1]}{base_line(new)}", text, count=1)


def part_of(lunmap: Lunmap, only: str, file: Lunmap = EMPTY_MAP) -> Lunmap:
    """Return the part of a map that `only` of a base names: all, a section, or an object.

    Other objects of the map are in it if they are in the `file` too, as one that was added to it by hand.
    """
    if not only:
        return lunmap
    wanted, _, name = only.partition("/")
    return build_map(
        {
            section: {
                key: document
                for key, document in lunmap.section(section).items()
                if (section == wanted and name in {"", key}) or key in file.section(section)
            }
            for section in SECTIONS
        }
    )
