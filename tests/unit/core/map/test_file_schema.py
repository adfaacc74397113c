"""The JSON Schema of map files: the committed copy, and what it accepts and refuses."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.file_schema import file_schema
from lunmapd.core.map.mapfile import show_map
from support.json_schema import errors
from support.strategies import lunmaps

COPY = Path("config/lunmap.schema.json")
SCHEMA: dict[str, Any] = json.loads(COPY.read_text())
EXAMPLE = Path("config/lunmap.yaml").read_text()
README = re.findall(r"^```yaml\n(.*?)^```$", Path("README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_committed_copy_is_the_schema() -> None:
    """After a change of the map's structs: `lunmapctl schema > config/lunmap.schema.json`."""
    assert json.loads(encode(file_schema())) == SCHEMA


@pytest.mark.parametrize(
    "text", [EXAMPLE, *README, "", "groups: {a: }\ninitiators: {iqn.2026-01.org.example:h: }"]
)
def test_the_example_maps_are_accepted(text: str) -> None:
    """As YAML readers read them: `off` is false for them, a serial of digits a number."""
    assert errors(SCHEMA, yaml.safe_load(text) or {}) == []


@given(lunmaps())
@settings(max_examples=30)
def test_what_get_prints_is_accepted(lunmap: Lunmap) -> None:
    """As YAML, and as JSON with the base."""
    assert errors(SCHEMA, yaml.safe_load(show_map(lunmap))) == []
    base = {"revision": 3, "cluster": "c"}
    assert errors(SCHEMA, {"base": base, **json.loads(encode(lunmap))}) == []


BROKEN = [
    ("access: ro", "access: readonly"),
    ("tpg_tag: 2", "tpg_tagg: 2"),
    ("tpg_tag: 2", "tpg_tag: 65536"),
    ("size: 64MiB", "size: big"),
    ("type: fileio", "type: tape"),
    ("org.example:host1:", "ORG:host1:"),
    ("lun: 1,", "lun: 16384,"),
    ("nodes: [n1, n2, n3]", "nodes: 7"),
    ("nodes: [n1, n2, n3]", "nodes: [n1, n1]"),
    ("reservations: off", "reservations: on"),
    ("    backing: {type: block, path: /dev/vg0/db1}\n", ""),
    ('initiator: "iqn', 'group: g, initiator: "iqn'),
    ("  db1:", "  d/b1:"),
    ("groups:", "gruops:"),
    ("is_nonrot: 1", "is_nonrot: fast"),
]


@pytest.mark.parametrize(
    ("old", "new"), BROKEN, ids=[f"{old.strip()} -> {new.strip()}" for old, new in BROKEN]
)
def test_broken_maps_are_refused(old: str, new: str) -> None:
    """Wrong words, names, numbers, types and fields."""
    assert old in EXAMPLE
    assert errors(SCHEMA, yaml.safe_load(EXAMPLE.replace(old, new, 1))) != []
