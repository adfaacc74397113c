"""`lunmapctl explain`, with the status that a node has written."""

import json

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.node.observed import LoginCounters
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, mapped_luns, put_checked
from support.cluster import Ctl

pytestmark = pytest.mark.integration

OTHER = "iqn.2026-01.org.example:g"


def test_each_name_is_explained(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """A host, a Lun, a node, and a host with a Lun, by short names; what is missing is exit code 6."""
    lunmap = mapped_luns(1)
    put_checked(session, replace(lunmap, initiators={**lunmap.initiators, OTHER: Initiator("web 2")}))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.log_in(T, H)
    agent.run_cycle()
    assert "n1 ok" in ctl("explain", "h").out
    assert ctl("explain", "h", "l1").out.startswith("h sees l1 through 1 of 1 paths:")
    assert "logged in: h\n\nif it goes, h loses l1" in ctl("explain", "n1").out
    assert json.loads(ctl("explain", "l1", "-o", "json").out)["hosts"][0]["at"] == ["n1"]
    unmapped = ctl("explain", "web 2", "luns/l1", expect=6).out
    assert unmapped.startswith("g does not see l1:")
    assert "-> lunmapctl map l1 g --target t" in unmapped
    ctl("map", "l1", "g", "--target", "t")
    assert "mapped  LUN 1 at" in ctl("explain", "web 2", "l1", expect=6).out


def test_a_refused_login_is_explained(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """The kernel's counters reach the admin, with the address and the command that mends it."""
    put_checked(session, mapped_luns(1))
    agent = make_agent()
    agent.run_cycle()
    agent.run_cycle()
    make_agent.kernel.login_counters = (LoginCounters(T, 2, 0, 2, 0, H, "100.64.0.5"),)
    agent.run_cycle()
    answer = ctl("explain", "h", "l1", expect=6).out
    assert "h does not see l1:" in answer
    assert f"{H} at 100.64.0.5 was refused by" in answer
    assert f"-> lunmapctl secret set {H}" in answer


def test_a_word_must_stand_for_one_thing(session: Session, ctl: Ctl) -> None:
    """An ambiguous word is answered with the choices, an unknown one with the nearest."""
    lunmap = mapped_luns(1)
    put_checked(session, replace(lunmap, luns={"n1": lunmap.luns["l1"]}))
    assert "'n1' stands for several: write luns/n1 or nodes/n1" in ctl("explain", "n1", expect=2).err
    assert "dead" in ctl("explain", "nodes/n1", expect=6).out
    assert "the map has no host, Lun or node 'n2'" in ctl("explain", "n2", expect=2).err
    assert "the map has no Lun 'n3'" in ctl("explain", "h", "n3", expect=2).err
    assert "the map has no initiator 'x1'" in ctl("explain", "x1", "n1", expect=2).err
