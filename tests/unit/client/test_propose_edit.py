"""The map that an edit begins from."""

import pytest
from msgspec.structs import replace

from lunmapd.client import Client
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Initiator, Lunmap, Scope, Shared
from lunmapd.core.edits.maps import FreeNumbers
from lunmapd.store.session.session import Session
from lunmapd.store.tree.snapshot import Snapshot
from support.small_map import LUN, MAP, H

SHARED = replace(LUN, shared=Shared(Scope.OFF, Scope.OFF))
COMMITTED = replace(MAP, luns={"a": SHARED})


def _renamed(lunmap: Lunmap, _: FreeNumbers) -> Lunmap:
    return replace(lunmap, initiators={H: Initiator(alias="db")})


def test_an_edit_reverts_what_no_commit_may_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins from the map that nodes apply, without a serial that was edited out of band."""
    edited = replace(MAP, luns={"a": replace(SHARED, serial="f" * 32)})
    found = Snapshot("c", 3, "tree", "head", 0, edited, edited={"luns/a": encode(SHARED)})
    client = Client(Session("127.0.0.1:9"))
    monkeypatch.setattr(client, "read", lambda: found)
    proposal = client.propose_edit(_renamed)
    assert proposal.after == replace(COMMITTED, initiators={H: Initiator(alias="db")})
    assert [change.path for change in proposal.changes] == ["luns/a", f"initiators/{H}"]
