"""Every code of a server is known to kazoo, and becomes an error that says what to do."""

import pytest
from kazoo.exceptions import EXCEPTIONS, NoAuthError, ZookeeperError

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import NotServedError, ServerRefusedError
from lunmapd.store.session.refusals import NOT_SERVED, LoginRequiredError, not_served, refused


@pytest.mark.parametrize("code", [*range(-130, 0), -999])
def test_kazoo_survives_each_code(code: int) -> None:
    """A code that kazoo does not know makes an error too, in place of ending its thread."""
    error = EXCEPTIONS[code]()
    assert isinstance(error, ZookeeperError)
    assert isinstance(refused(error, "luns/a"), ServerRefusedError)
    assert "luns/a" in str(refused(error, "luns/a"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-6, "needs a newer ZooKeeper"),
        (-112, "localSessionsUpgradingEnabled"),
        (-120, "localSessionsUpgradingEnabled"),
        (-125, "a hard quota is used up; raise it with 'setquota'"),
        (-126, "the error code -126"),
        (-108, "NoChildrenForEphemerals"),
    ],
)
def test_a_refusal_has_its_cause_and_remedy(code: int, words: str) -> None:
    """The cause is named, not only the class of kazoo's error."""
    error = refused(EXCEPTIONS[code]())
    assert words in str(error)
    assert error.exit_code == Exit.FAILED


@pytest.mark.parametrize(
    ("code", "words"), [(-12, "session"), (-119, "read-only"), (-122, "in time"), (-127, "overloaded")]
)
def test_what_may_be_done_later_counts_as_unreachable(code: int, words: str) -> None:
    """A server that can't serve now is named with its reason, and has the exit code of no answer."""
    assert EXCEPTIONS[code] in NOT_SERVED
    error = not_served("10.0.0.1:2181", EXCEPTIONS[code]())
    assert isinstance(error, NotServedError)
    assert words in str(error)
    assert "10.0.0.1:2181" in str(error)
    assert error.exit_code == Exit.UNREACHABLE


def test_a_login_that_is_missing_is_known() -> None:
    """Its code is another one than that of a missing permission."""
    assert LoginRequiredError is not NoAuthError
