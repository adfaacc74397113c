"""A node with partial passes between two full passes."""

from typing import TYPE_CHECKING, Protocol

import pytest
from kazoo.client import KazooClient
from msgspec.structs import replace

from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.lio.worker.kernel import KernelUnreadableError
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, applied, conditions, confirm, mapped_luns, put_checked, shown

if TYPE_CHECKING:
    from kazoo.interfaces import IAsyncResult

pytestmark = pytest.mark.integration

_SET_DATA, _MULTI_READ = 5, 22  # ZooDefs.OpCode
SELDOM = Policy(audit=3600.0)


@pytest.fixture
def converged_agent(session: Session, make_agent: AgentFactory) -> Agent:
    """Give a node with ten Luns after a full pass."""
    put_checked(session, mapped_luns(*range(10)))
    agent = make_agent(policy=SELDOM)
    assert agent.run_cycle().converged
    make_agent.kernel.looks = 0
    return agent


def test_a_change_is_followed_without_a_look_at_everything(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """Luns that are added, changed and removed are applied and observed, and no other object is observed."""
    lunmap = mapped_luns(0, 1, 3, 4, 5, 6, 7, 8, 9, 10)
    lunmap = replace(
        lunmap, luns={**lunmap.luns, "l1": replace(lunmap.luns["l1"], attributes={"emulate_tpu": 1})}
    )
    put_checked(session, lunmap)
    assert converged_agent.run_cycle().converged
    assert make_agent.serves(lunmap)
    assert (applied(converged_agent), make_agent.kernel.looks) == (2, 0)


class _Request(Protocol):
    """A request as kazoo sends it; `type` is its number in ZooDefs.OpCode of ZooKeeper."""

    type: int


def test_a_change_takes_a_node_two_requests(
    session: Session, converged_agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for its registration, the top of the tree and the next revision, one for its status."""
    put_checked(session, mapped_luns(*range(11)))
    requests: list[int] = []
    send = KazooClient._call

    def record(client: KazooClient, request: _Request, reply: "IAsyncResult[object]") -> object:
        requests.append(request.type)
        return send(client, request, reply)

    monkeypatch.setattr(KazooClient, "_call", record)
    assert converged_agent.run_cycle().converged
    assert requests == [_MULTI_READ, _SET_DATA]


def test_nothing_is_looked_at_when_nothing_changed(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A confirmation wakes every node, and causes no observation."""
    confirm(session, 1)
    assert converged_agent.run_cycle().converged
    assert (applied(converged_agent), make_agent.kernel.looks) == (2, 0)


def test_what_somebody_changed_by_hand_is_found_by_the_audit(
    make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A change by hand elsewhere is not noticed at once; new settings, like the audit, cause a full pass."""
    name = next(
        name for name, item in make_agent.kernel.objects.items() if isinstance(item, lio_objects.MappedLun)
    )
    del make_agent.kernel.objects[name]
    assert converged_agent.run_cycle().converged
    assert name not in make_agent.kernel.objects
    converged_agent.adopt(SELDOM)
    assert converged_agent.run_cycle().converged
    assert name in make_agent.kernel.objects


def test_what_fails_is_looked_at_as_a_whole_and_then_put_off(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A Lun that can't be made is reported and the others are served.

    It is tried again after a relevant change.
    """
    make_agent.kernel.missing.add("/dev/l10")
    put_checked(session, mapped_luns(*range(11)))
    assert not converged_agent.run_cycle().converged
    assert [failing.reason for failing in converged_agent.status.failing] == ["BackingDeviceMissing"]
    make_agent.kernel.missing.clear()
    assert not converged_agent.run_cycle().converged
    converged_agent.try_again()
    assert converged_agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def test_a_surprise_is_left_to_a_whole_pass(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A leftover among the changed objects makes the node do a full pass, which repairs it."""
    half = lio_objects.Leftover("hba", "core/fileio_10777")
    make_agent.kernel.objects[lio_objects.key_of(half)] = half
    put_checked(session, mapped_luns(*range(11)))
    assert converged_agent.run_cycle().converged
    assert make_agent.kernel.looks == 2
    assert make_agent.serves(mapped_luns(*range(11)))


def test_much_at_once_is_held_as_ever(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A change that takes away much waits for a confirmation, whichever way it is followed."""
    put_checked(session, mapped_luns(0, 1))
    assert not converged_agent.run_cycle().converged
    assert conditions(converged_agent)["Applied"] == "RemovalHeld"
    assert shown(make_agent.kernel) == {f"l{number}" for number in range(10)}
    confirm(session, 2)
    assert converged_agent.run_cycle().converged
    assert shown(make_agent.kernel) == {"l0", "l1"}


def test_a_change_that_was_cut_short_is_taken_up_again(
    session: Session, make_agent: AgentFactory, converged_agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the kernel stops answering in the middle, the next cycle doesn't take the change for done."""
    put_checked(session, mapped_luns(*range(11)))
    monkeypatch.setattr(make_agent.kernel, "apply", _unreadable)
    assert not converged_agent.run_cycle().converged
    monkeypatch.undo()
    assert converged_agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def _unreadable(*_: object) -> None:
    raise KernelUnreadableError(Failure(Reason.STUCK, "no answer"))


def test_a_device_grows_before_its_lun_or_is_told_of(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A size that the device lacks is reported until the device has it; LIO is not changed for either.

    One that it has is followed by an observation of that Lun alone.
    """
    make_agent.kernel.sizes["/dev/l1"] = 1 << 20
    before = len(make_agent.kernel.done)
    put_checked(session, _sized(1 << 20))
    assert converged_agent.run_cycle().converged
    assert (applied(converged_agent), make_agent.kernel.looks) == (2, 0)
    grown = _sized(1 << 21)
    put_checked(session, grown)
    assert not converged_agent.run_cycle().converged
    assert [(failing.lun, failing.reason) for failing in converged_agent.status.failing] == [
        ("l1", "SizeMismatch")
    ]
    make_agent.kernel.sizes["/dev/l1"] = 1 << 21
    converged_agent.try_again()
    assert converged_agent.run_cycle().converged
    assert len(make_agent.kernel.done) == before
    assert make_agent.serves(grown)


def _sized(size: int) -> Lunmap:
    """Return the map of the node, with a size in bytes of one Lun."""
    found = mapped_luns(*range(10))
    return replace(found, luns={**found.luns, "l1": replace(found.luns["l1"], size=size)})


def test_a_device_that_is_too_small_is_not_exported(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """A new Lun on a device smaller than declared is not made, and the others are served."""
    make_agent.kernel.sizes["/dev/l10"] = 1 << 20
    more = mapped_luns(*range(11))
    put_checked(session, replace(more, luns={**more.luns, "l10": replace(more.luns["l10"], size=1 << 40)}))
    assert not converged_agent.run_cycle().converged
    assert [failing.reason for failing in converged_agent.status.failing] == ["SizeMismatch"]
    assert make_agent.serves(mapped_luns(*range(10)))
