"""The names of the sections of the map, which are also the parents of its objects in the tree.

Errors and the paths of znodes need them before any object is read, so the types of the objects stay out.
"""

from typing import Literal, get_args

Section = Literal["luns", "targets", "initiators", "groups", "nodes"]
SECTION_NAMES: tuple[Section, ...] = get_args(Section)
"""In the order of a map file."""
