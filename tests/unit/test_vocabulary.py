"""One word, one meaning: what the names of the code must keep."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("lunmapd")

# A verb of lunmapctl and the function that does its work have one name, and each program has a main.
VERBS = {"confirm", "forget", "migrate", "override", "plan", "repair", "restore", "rotate", "trim"}
# LIO has an object for each of these objects of the map, always read as `lio_objects.Target`.
LIO_OBJECTS = {"Target"}


def public_names(module: Path) -> Iterator[str]:
    """Yield the public names that a module defines at its top level."""
    for node in ast.parse(module.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if not name.startswith("_"):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if (
                not name.startswith("_")
            ):
                yield name


def test_a_public_name_is_defined_in_one_module() -> None:
    """No two modules define the same public name, but for a verb and its work, main, and LIO's own Target."""
    modules = defaultdict[str, list[str]](list)
    for module in sorted(PACKAGE.rglob("*.py")):
        for name in dict.fromkeys(public_names(module)):
            modules[name].append(str(module.relative_to(PACKAGE)))
    allowed = VERBS | LIO_OBJECTS | {"main"}
    assert {name: places for name, places in modules.items() if len(places) > 1 and name not in allowed} == {}


def test_no_folder_holds_more_than_twenty_modules() -> None:
    """A folder of the package can be read at a glance; a larger one needs sub-rooms."""
    folders = [folder for folder in PACKAGE.rglob("*") if folder.is_dir()]
    assert [str(folder) for folder in folders if len(list(folder.glob("*.py"))) > 20] == []


def test_each_type_of_a_stage_exists() -> None:
    """Each type in the table of a pass's stages is a class of the package."""
    text = Path("docs/architecture.md").read_text()
    table = text.partition("## The stages of a pass")[2].partition("\n## ")[0]
    types = set(re.findall(r"`([A-Z]\w+)`", table))
    classes = {
        node.name
        for module in PACKAGE.rglob("*.py")
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    assert len(types) > 10
    assert types - classes == set()
