"""A tree that ZooKeeper was put back to, and that has come to more revisions since than a reader knew."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.status import STORE
from lunmapd.store.commit.acts import accept_rewound
from lunmapd.store.session import paths
from lunmapd.store.session.errors import WentBackError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import MAX_DELTAS, read_again, refresh
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.store.upkeep.trim import trim
from support.agents import MAP, AgentFactory, conditions, put_checked
from support.commits import put, terms
from support.maps import luns
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

Read = Callable[[Session, Snapshot | None], Snapshot]


def commit_each(session: Session, *maps: Lunmap) -> None:
    """Commit maps, one after the other."""
    for each in maps:
        put(session, each)


def overtake(session: Session, *after: Lunmap) -> Snapshot:
    """Return the state read at revision 4 of a tree that was rewound to revision 2 and changed since."""
    commit_each(session, luns(1), luns(1, 2))
    with PlainClient(session) as shell:
        old = shell.copy()
        commit_each(session, luns(1, 2, 3), luns(1, 2, 3, 4))
        known = read_tree(session)
        shell.put_back(old)
    commit_each(session, *after)
    return known


@pytest.mark.parametrize("read", [refresh, read_again])
@pytest.mark.parametrize("more", [3, MAX_DELTAS + 3])
def test_an_overtaken_tree_is_not_followed(session: Session, read: Read, more: int) -> None:
    """A tree that has another revision of the known number is refused however new it is.

    The error names the remedy.
    """
    known = overtake(session, *(luns(9, number) for number in range(10, 10 + more)))
    with pytest.raises(WentBackError, match=r"another revision 4 .*--rewound") as caught:
        read(session, known)
    assert (caught.value.known, caught.value.found) == (4, 4)


def test_another_way_to_the_same_map_is_followed(session: Session) -> None:
    """A rewound tree that came to the same map and revisions again is followed without an error."""
    known = overtake(session, luns(1, 2, 4), luns(1, 2, 3, 4), luns(5))
    assert refresh(session, known).lunmap == luns(5)
    assert read_again(session, known).snapshot.lunmap == luns(5)


def test_the_next_commit_does_not_thaw_a_node(session: Session, make_agent: AgentFactory) -> None:
    """A node frozen by an older tree stays frozen while that goes on, over restarts, until it is accepted."""
    put_checked(session, MAP)
    with PlainClient(session) as shell:
        old = shell.copy()
        put_checked(session, replace(MAP, luns={"b": MAP.luns["b"]}))
        put_checked(session, MAP)
        running = make_agent()
        assert running.run_cycle().converged
        shell.put_back(old)
    for name in ("a", "b", "a"):
        put_checked(session, replace(MAP, luns={name: MAP.luns[name]}))
        for agent in (running, make_agent()):
            agent.run_cycle()
            assert conditions(agent)[STORE] == "WentBack"
            assert make_agent.serves(MAP)
    accept_rewound(session, read_tree(session), terms())
    assert running.run_cycle().converged
    assert make_agent.serves(replace(MAP, luns={"a": MAP.luns["a"]}))


def test_who_was_away_while_the_history_was_trimmed_goes_on(session: Session) -> None:
    """A known revision that is not kept any more proves nothing: the newest map is read and followed."""
    commit_each(session, luns(1), luns(2))
    known = read_tree(session)
    commit_each(session, luns(3), luns(4), luns(5))
    trim(session, 2)
    assert refresh(session, known).lunmap == luns(5)
    assert read_again(session, known).snapshot.lunmap == luns(5)


def test_a_head_of_the_known_version_is_not_taken_for_the_known_one(session: Session) -> None:
    """Versions of znodes restart in restored data, so equal versions need an equal revision too."""
    known = overtake(session, luns(9), luns(8), luns(7))
    with PlainClient(session) as shell:
        for _ in range(known.head_version - read_tree(session).head_version):
            shell.set(paths.HEAD, shell.get(paths.HEAD))
    assert read_tree(session).head_version == known.head_version
    with pytest.raises(WentBackError):
        refresh(session, known)
