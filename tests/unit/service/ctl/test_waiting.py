"""The options of a rollout, before anything is read, and its release by --pause."""

import pytest

from lunmapd.service.ctl.commit.waiting import release_note
from support.preloaded import run_lunmapctl


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--pause", "5m"), "--pause needs --first"),
        (("--first", "n1", "--pause", "ask"), "nobody can answer: it needs a terminal"),
        (("--first", "n1", "--pause", "soon"), "'soon' is not a duration"),
        (("--confirm-within", "9" * 5000), "is not a duration"),
        (("--confirm-within", "5s"), "5s is not from 10 s to 604800 s"),
    ],
)
def test_an_option_of_a_rollout_that_makes_no_sense_is_wrong_usage(
    words: tuple[str, ...], problem: str
) -> None:
    """Exit code 2, and nothing is asked of a server."""
    status, _, error = run_lunmapctl(["--hosts", "127.0.0.1:9", "map", "db1", "h", *words], None, 60)
    assert status == 2
    assert problem in error


def test_only_the_own_rollout_is_released() -> None:
    """After --pause the newest revision may be another one, which another admin tries."""
    assert release_note(5, "ann").expect == 5
