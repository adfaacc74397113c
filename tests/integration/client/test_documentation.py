"""The examples of docs/client.md, and the exported names of the package."""

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

import lunmapd.client
from lab import Ensemble
from lunmapd.client import Client

pytestmark = pytest.mark.integration

DOCUMENT = Path("docs/client.md")


def test_the_examples_run(ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the document runs, one after the other, on a tree of its own."""
    chroot = f"/{uuid.uuid4().hex}"
    connect = Client.connect
    monkeypatch.setattr(Client, "connect", lambda hosts, _root="", **times: connect(hosts, chroot, **times))
    names: dict[str, Any] = {"HOSTS": ensemble.hosts}
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(examples) > 3
    for example in examples:
        exec(compile(example, str(DOCUMENT), "exec"), names)  # noqa: S102 - it's our own document


def test_what_is_promised_is_there() -> None:
    """Each name of `__all__` exists, and none is there twice."""
    names = lunmapd.client.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(lunmapd.client, name) for name in names)
