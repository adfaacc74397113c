"""Under each fault nothing is lost, nothing done twice, nothing seen that was not committed, and all recover."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.campaign import Campaign, check_history, run_campaign
from chaos.fault_injector import FaultInjector
from chaos.faults import FAULTS
from chaos.history import History, Outcome, released
from chaos.importer import Importer
from chaos.testbed import Testbed
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
    testbed: Testbed, fault: str, request: pytest.FixtureRequest
) -> None:
    """Two writers commit before, during and after one fault; the history is whole and every node ends where head is."""
    testbed.start_writers(2)
    testbed.await_commits(10)
    FaultInjector(testbed, fault, _LASTS).inject(fault, pause)
    testbed.await_commits(10)
    testbed.stop_writers()
    testbed.settle()
    assert_kept(testbed.history(), request)


def serves_import(testbed: Testbed) -> bool:
    """Tell whether any node serves a Lun of the import."""
    return any("import-" in str(item) for node in testbed.followers for item in node.kernel.objects.values())


@pytest.mark.parametrize("ends", [Importer.resume, Importer.undo])
def test_an_import_that_dies_in_the_middle_is_seen_as_a_whole_or_not_at_all(
    testbed: Testbed,
    ends: Callable[[Importer], None],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an import that died nodes see nothing, through a fault; once it is resumed they see all of it, undone none of it."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)
    testbed.start_writers(2)
    testbed.await_commits(10)
    importer = testbed.importer()
    importer.leave(parts=2)
    FaultInjector(testbed, "import", _LASTS).inject("leader_killed", pause)
    testbed.settle()
    assert not serves_import(testbed)
    testbed.stop_writers()
    ends(importer)
    testbed.settle()
    assert serves_import(testbed) == (ends is Importer.resume)
    history = testbed.history()
    assert_kept(history, request)
    assert len(released(history.tree.revisions)) < len(history.tree.revisions)


def test_twenty_writers_under_random_faults(testbed: Testbed, request: pytest.FixtureRequest) -> None:
    """Twenty writers make 200 random edits, each exactly once, while one fault follows the other."""
    history = run_campaign(testbed, Campaign(writers=20, edits=200, think=1.0))
    assert_kept(history, request)
    done = {Outcome.COMMITTED, Outcome.UNKNOWN}
    assert sum(attempt.outcome in done for attempt in history.attempts) >= 200


def test_a_tree_that_is_gone_or_new_is_not_followed(
    trio: Ensemble, root: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """When all servers lost their data nothing is committed and every LIO stays as it is; also when a new tree is made there."""
    # A client that knew a newer state is refused by servers that lost it; it's replaced after twelve session timeouts.
    with Testbed(trio, root, "wiped", tmp_path, session_timeout=1.0) as testbed:
        testbed.start_writers(2)
        testbed.await_commits(20)
        testbed.stop_writers()
        testbed.settle()
        tree = testbed.wipe()
        testbed.start_writers(2)
        wait_until("all find no tree", lambda: testbed.all_fail_with(NotInitialisedError))
        testbed.stop_writers()
        with Session(trio.hosts, root) as session:
            initialise(session)
            wait_until("all find a foreign tree", lambda: testbed.all_fail_with(ForeignClusterError))
        assert_kept(testbed.history(tree), request)
