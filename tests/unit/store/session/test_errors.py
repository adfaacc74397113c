import pytest

from lunmapd.core.base.errors import Exit
from lunmapd.store.commit.commit_errors import Clash, ConflictError, OutcomeUnknownError
from lunmapd.store.session.errors import NoClientError, StoreError, UnreachableError, WentBackError
from lunmapd.store.session.limits import TooLargeError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreachableError("h:1", 5), Exit.UNREACHABLE),
        (NoClientError("h:1", OSError(24, "Too many open files")), Exit.UNREACHABLE),
        (OutcomeUnknownError("h:1", 7), Exit.UNREACHABLE),
        (ConflictError(3, ()), Exit.CONFLICT),
        (TooLargeError("the commit", 2, 1, "bytes"), Exit.INVALID),
    ],
)
def test_errors_have_the_exit_code_of_their_kind(error: StoreError, code: Exit) -> None:
    """Scripts can distinguish an unreachable store from a conflict and from too large input."""
    assert error.exit_code is code


def test_a_long_list_of_clashes_is_cut() -> None:
    """A conflict over many objects names the first ten and counts the rest."""
    error = ConflictError(3, [Clash(f"luns/l{number}", ("size",), "bob", 3) for number in range(12)])
    assert str(error).count("luns/") == 10
    assert "and 2 more" in str(error)
    assert len(error.clashes) == 12


@pytest.mark.parametrize(("found", "words"), [(4, "older than 5"), (5, "another revision 5")])
def test_going_back_says_how(found: int, words: str) -> None:
    """An older revision and another history are different errors."""
    assert words in str(WentBackError(5, found))
