"""The periodic full read: out-of-band edits are found, followed and named."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lab import Ensemble
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.fleet.status import APPLIED, UNCONTESTED, UNEDITED
from lunmapd.store.commit.acts import repair
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.agents import (
    MAP,
    A,
    AgentFactory,
    B,
    T,
    conditions,
    failing,
    mapped_luns,
    message,
    put_checked,
    shown,
)
from support.commits import terms
from support.plain_client import PlainClient
from support.targetctl_disk import Disk

pytestmark = pytest.mark.integration

EVERY = Policy(full_read=100.0)


def test_edits_around_the_tools_are_found_followed_and_named(
    session: Session, make_agent: AgentFactory
) -> None:
    """A full read that is due finds edited, added and removed documents; the node applies and names each."""
    put_checked(session, MAP)
    clock = Clock()
    agent = make_agent(policy=EVERY, now=clock)
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(A, maps=())))
        shell.create(
            "luns/c", encode(replace(B, serial="c" * 32, backing=replace(B.backing, path="/c"), maps=()))
        )
        shell.set("luns/b", encode(B) + b" ")
        shell.delete("initiators/" + shell.children("initiators")[0])
        clock.now = 80
        assert agent.run_cycle().converged
        assert shown(make_agent.kernel) == {"a", "b"}
        clock.now = 120
        agent.run_cycle()
    assert "a" not in shown(make_agent.kernel)
    assert conditions(agent)[UNEDITED] == "EditedAround"
    for words in ("luns/a edited (maps)", "luns/b edited (its spelling)", "luns/c added", ":h removed"):
        assert words in message(agent, UNEDITED)
    put_checked(session, MAP)
    assert agent.run_cycle().converged
    assert conditions(agent)[UNEDITED] == "AsCommitted"
    assert make_agent.serves(MAP)


def test_a_restart_reads_everything(session: Session, make_agent: AgentFactory) -> None:
    """An edit made while a node was down is found when it starts."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(A, maps=())))
    agent = make_agent()
    agent.run_cycle()
    assert shown(make_agent.kernel) == {"b"}
    assert conditions(agent)[UNEDITED] == "EditedAround"


def test_an_edit_that_cant_be_named_is_said_all_the_same(session: Session, make_agent: AgentFactory) -> None:
    """Without the revisions the condition still reports that the digest differs."""
    put_checked(session, MAP)
    put_checked(session, replace(MAP, luns={"a": A}))
    with PlainClient(session) as shell:
        shell.delete("revisions/0000000001")
        shell.set("luns/a", encode(replace(A, maps=())))
    agent = make_agent()
    agent.run_cycle()
    assert "do not show which objects differ" in message(agent, UNEDITED)


def test_an_edited_tree_is_not_read_again_and_again(
    session: Session, ensemble: Ensemble, make_agent: AgentFactory
) -> None:
    """While the tree stays edited a cycle costs the same few requests, with a map of any size."""
    put_checked(session, mapped_luns(*range(200)))
    with PlainClient(session) as shell:
        shell.set("luns/l0", encode(replace(A, maps=())))
    agent = make_agent(policy=EVERY, now=Clock())
    agent.run_cycle()
    assert read_tree(session).has_edits

    def packets() -> int:
        (line,) = [line for line in ensemble.leader.ask("srvr").splitlines() if line.startswith("Received:")]
        return int(line.split()[1])

    before = packets()
    for _ in range(10):
        agent.run_cycle()
    assert packets() - before < 100


@pytest.mark.parametrize("kept", [True, False], ids=["while it runs", "while it is down"])
def test_an_edit_that_no_commit_may_make_is_not_followed(
    session: Session, make_agent: AgentFactory, *, kept: bool
) -> None:
    """An out-of-band edit of a serial, or to a smaller file, changes nothing in LIO until it is repaired."""
    put_checked(session, MAP)
    clock = Clock()
    agent = make_agent(policy=EVERY, now=clock)
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(A, serial="c" * 32)))
        shell.set("luns/b", encode(replace(B, size=512)))
    clock.now = 120
    agent = agent if kept else make_agent(policy=EVERY, now=clock)
    for _ in range(2):
        agent.run_cycle()
        assert make_agent.serves(MAP)
        assert failing(agent) == {"document luns/a": "SerialImmutable", "document luns/b": "EditRefused"}
    repair(session, read_tree(session), terms())
    assert agent.run_cycle().converged
    assert make_agent.serves(MAP)


def test_an_edited_path_is_not_followed(session: Session, make_agent: AgentFactory) -> None:
    """An out-of-band edit of a Lun's path or a node's `devices` changes nothing; a commit undoes it."""
    put_checked(session, MAP)
    agent = make_agent(policy=EVERY, now=Clock())
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(A, backing=replace(A.backing, path="/dev/x"))))
        shell.set("nodes/n1", encode(replace(MAP.nodes["n1"], devices={"/": "/x"})))
    agent = make_agent(policy=EVERY, now=Clock())
    agent.run_cycle()
    assert make_agent.serves(MAP)
    assert failing(agent) == {"document luns/a": "EditRefused", "document nodes/n1": "EditRefused"}
    b = replace(B, maps=())
    put_checked(session, replace(MAP, luns={"a": A, "b": b}))
    assert read_tree(session).lunmap == replace(MAP, luns={"a": A, "b": b})
    assert agent.run_cycle().converged


def test_no_commit_takes_in_what_it_may_not_change(session: Session, make_agent: AgentFactory) -> None:
    """The next commit repairs such an edit, and a Lun that is to shrink is refused."""
    put_checked(session, MAP)
    agent = make_agent(policy=EVERY, now=Clock())
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(A, serial="c" * 32)))
        shell.set("luns/b", encode(replace(B, size=512)))
    smaller = replace(MAP, luns={"a": A, "b": replace(B, size=512)})
    with pytest.raises(InvalidInputError, match="can't shrink"):
        put_checked(session, smaller)
    edit(
        session,
        read_tree(session),
        lambda there: replace(there, luns={**there.luns, "a": replace(A, maps=())}),
        terms(check=commit_rules()),
    )
    assert read_tree(session).lunmap.luns == {"a": replace(A, maps=()), "b": B}
    commit(session, read_tree(session), smaller, terms(check=commit_rules({"b"})))
    assert agent.run_cycle().converged
    assert make_agent.serves(smaller)


def test_a_lun_made_anew_under_its_name_is_another_one(session: Session, make_agent: AgentFactory) -> None:
    """Removed by one revision and made by another while the node was down, it comes with its own serial.

    No host was ever logged in, so its LUN number is only left empty until the next pass.
    """
    make_agent().run_cycle()
    put_checked(session, MAP)
    make_agent().run_cycle()
    put_checked(session, replace(MAP, luns={"b": B}))
    anew = replace(MAP, luns={"a": replace(A, serial="c" * 32), "b": B})
    put_checked(session, anew, reuse=("a",))
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(anew.luns["a"]) + b" ")
    agent = make_agent()
    cycle = agent.run_cycle()
    assert (conditions(agent)[APPLIED], agent.pause(cycle)) == ("LeftEmpty", 0.0)
    agent.run_cycle()
    assert make_agent.serves(anew)


def test_a_target_removed_out_of_band_is_contested_by_what_is_saved(
    session: Session, make_agent: AgentFactory, tmp_path: Path
) -> None:
    """The node serves it by its committed document, so another tool must not make it at the next boot."""
    put_checked(session, MAP)
    make_agent(policy=EVERY, now=Clock()).run_cycle()
    disk = Disk(tmp_path)
    disk.save(T)
    with PlainClient(session) as shell:
        shell.delete(f"targets/{T}")
    agent = make_agent(policy=EVERY, now=Clock(), targetctl=Targetctl(disk.root))
    agent.run_cycle()
    assert make_agent.serves(MAP)
    assert conditions(agent)[UNCONTESTED] == "SavedElsewhere"
