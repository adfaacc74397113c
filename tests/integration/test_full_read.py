"""The periodic full read: edits around the tools are found, followed and named."""

import pytest
from integration.agents import MAP, A, B, Nodes, conditions, many, message, put, shown
from integration.tools import Shell
from msgspec.structs import replace

from fakes.clock import Clock
from lab import Ensemble
from lunmapd.agent.policy import Policy
from lunmapd.core.documents import encode
from lunmapd.core.status import UNEDITED
from lunmapd.store.read import read_all
from lunmapd.store.session import Session

pytestmark = pytest.mark.integration

EVERY = Policy(full_read=100.0)


def test_edits_around_the_tools_are_found_followed_and_named(session: Session, make: Nodes) -> None:
    """A full read when it is due finds what was edited, added and removed; the node follows it and names each."""
    put(session, MAP)
    clock = Clock()
    agent = make(policy=EVERY, now=clock)
    agent.turn()
    with Shell(session) as shell:
        shell.set("luns/a", encode(replace(A, maps=())))
        shell.create(
            "luns/c", encode(replace(B, serial="c" * 32, backing=replace(B.backing, path="/c"), maps=()))
        )
        shell.set("luns/b", encode(B) + b" ")
        shell.delete("initiators/" + shell.children("initiators")[0])
        clock.now = 80
        assert agent.turn().converged
        assert shown(make.kernel) == {"a", "b"}
        clock.now = 120
        agent.turn()
    assert "a" not in shown(make.kernel)
    assert conditions(agent)[UNEDITED] == "EditedAround"
    for words in ("luns/a edited (maps)", "luns/b edited (its spelling)", "luns/c added", ":h removed"):
        assert words in message(agent, UNEDITED)
    put(session, MAP)
    assert agent.turn().converged
    assert conditions(agent)[UNEDITED] == "AsCommitted"
    assert make.serves(MAP)


def test_a_restart_reads_everything(session: Session, make: Nodes) -> None:
    """What was edited while a node was down is found when it starts."""
    put(session, MAP)
    make().turn()
    with Shell(session) as shell:
        shell.set("luns/a", encode(replace(A, maps=())))
    agent = make()
    agent.turn()
    assert shown(make.kernel) == {"b"}
    assert conditions(agent)[UNEDITED] == "EditedAround"


def test_an_edit_that_cant_be_named_is_said_all_the_same(session: Session, make: Nodes) -> None:
    """Where the revisions are gone, the condition still says that the digest differs."""
    put(session, MAP)
    with Shell(session) as shell:
        shell.delete("revisions/0000000001")
        shell.set("luns/a", encode(replace(A, maps=())))
    agent = make()
    agent.turn()
    assert "don't tell which objects differ" in message(agent, UNEDITED)


def test_an_edited_tree_is_not_read_again_and_again(
    session: Session, ensemble: Ensemble, make: Nodes
) -> None:
    """While the tree stays edited a turn costs the same few requests, whatever the size of the map."""
    put(session, many(*range(200)))
    with Shell(session) as shell:
        shell.set("luns/l0", encode(replace(A, maps=())))
    agent = make(policy=EVERY, now=Clock())
    agent.turn()
    assert read_all(session).edited_around

    def packets() -> int:
        (line,) = [line for line in ensemble.leader.ask("srvr").splitlines() if line.startswith("Received:")]
        return int(line.split()[1])

    before = packets()
    for _ in range(10):
        agent.turn()
    assert packets() - before < 100
