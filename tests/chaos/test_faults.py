"""Under each fault no commit is lost, doubled or seen uncommitted, and all nodes recover."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.campaign import Campaign, check_history, run_campaign
from chaos.fault_injector import FaultInjector
from chaos.faults import FAULTS
from chaos.harness import Harness
from chaos.history import History, Outcome, released
from chaos.importer import Importer
from lab import Ensemble
from lab.wait import wait_until
from lunmapd.store.session.errors import ForeignClusterError, NotInitialisedError
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.init import initialise

pytestmark = pytest.mark.integration

_LASTS = (1.0, 3.0)


def assert_kept(history: History, request: pytest.FixtureRequest) -> None:
    """Assert that every promise was kept; if not, name where the history is saved."""
    where = Path("build") / "chaos" / request.node.name
    found = check_history(history, where)
    assert not found, "\n".join([*map(str, found), f"the history is in {where}"])


def pause(seconds: float) -> bool:
    """Let a fault last; it's never time to end."""
    time.sleep(seconds)
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_two_writers_and_three_nodes_get_over_it(
    harness: Harness, fault: str, request: pytest.FixtureRequest
) -> None:
    """With commits before, during and after a fault, the history is complete and every node reaches head."""
    harness.start_writers(2)
    harness.await_commits(10)
    FaultInjector(harness, fault, _LASTS).inject(fault, pause)
    harness.await_commits(10)
    harness.stop_writers()
    harness.settle()
    assert_kept(harness.history(), request)


def serves_import(harness: Harness) -> bool:
    """Return whether any node serves a Lun of the import."""
    return any("import-" in str(item) for node in harness.followers for item in node.kernel.objects.values())


@pytest.mark.parametrize("ends", [Importer.resume, Importer.undo])
def test_an_import_that_dies_in_the_middle_is_seen_as_a_whole_or_not_at_all(
    harness: Harness,
    ends: Callable[[Importer], None],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes see nothing of an abandoned import.

    Once it is resumed they see all of it, once undone nothing.
    """
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)
    # They never rest, and the import takes longer to prepare: only the commit queue gives it a turn.
    harness.start_writers(2)
    harness.await_commits(10)
    importer = harness.importer()
    importer.leave(parts=2)
    FaultInjector(harness, "import", _LASTS).inject("leader_killed", pause)
    harness.settle()
    assert not serves_import(harness)
    harness.stop_writers()
    ends(importer)
    harness.settle()
    assert serves_import(harness) == (ends is Importer.resume)
    history = harness.history()
    assert_kept(history, request)
    assert len(released(history.tree.revisions)) < len(history.tree.revisions)


def test_twenty_writers_under_random_faults(harness: Harness, request: pytest.FixtureRequest) -> None:
    """Twenty writers make 200 random edits, each exactly once, while one fault follows the other."""
    history = run_campaign(harness, Campaign(writers=20, edits=200, think=1.0))
    assert_kept(history, request)
    done = {Outcome.COMMITTED, Outcome.UNKNOWN}
    assert sum(attempt.outcome in done for attempt in history.attempts) >= 200


def test_a_tree_that_is_gone_or_new_is_not_followed(
    trio: Ensemble, root: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After all servers lost their data nothing is committed and no LIO changes, even with a new tree."""
    # A client that knew a newer state is refused by servers that lost it; it's replaced after twelve session
    # timeouts.
    with Harness(trio, root, "wiped", tmp_path, session_timeout=1.0) as harness:
        harness.start_writers(2)
        harness.await_commits(20)
        harness.stop_writers()
        harness.settle()
        tree = harness.wipe()
        harness.start_writers(2)
        wait_until("all find no tree", lambda: harness.all_fail_with(NotInitialisedError))
        harness.stop_writers()
        with Session(trio.hosts, root) as session:
            initialise(session)
            wait_until("all find a foreign tree", lambda: harness.all_fail_with(ForeignClusterError))
        assert_kept(harness.history(tree), request)
