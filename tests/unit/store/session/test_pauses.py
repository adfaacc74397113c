"""When and where a session tries again: the rules, without clock and dice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.store.session.pauses import Losses, dial_timeout, rebuild_pause, reconnect_pause

CHANCES = [step / 50 for step in range(51)]
T = 10.0


def lost(
    made: float, heard: float, now: float, losses: Losses[str] | None = None
) -> tuple[Losses[str], float]:
    """Lose a connection to "a" with these times of connection and last answer, and the longest pause."""
    found = losses or Losses[str](T)
    found.connected("a", made)
    found.heard(heard)
    return found, found.pause(now, 1.0)


def test_fifty_clients_come_back_evenly() -> None:
    """Equal chances give equally spread pauses over a quarter of the session timeout, from none at all."""
    pauses = [reconnect_pause(0, T, chance) for chance in CHANCES]
    assert (pauses[0], pauses[-1]) == (0.0, T / 4)
    gaps = [second - first for first, second in pairwise(pauses)]
    assert max(gaps) == pytest.approx(min(gaps))


@given(st.integers(0, 10_000), st.floats(0.1, 86400), st.floats(0, 1))
def test_no_pause_outlasts_the_session(count: int, timeout: float, chance: float) -> None:
    """After any number of lost connections half the session time is left.

    A client is replaced within five.
    """
    assert 0 <= reconnect_pause(count, timeout, chance) <= timeout / 2
    assert 0 < rebuild_pause(count, timeout, chance) <= 5 * timeout


def test_failures_are_repeated_ever_more_seldom() -> None:
    """A client that fails again and again is made anew after about 1, 2, 4 and so on seconds."""
    assert [rebuild_pause(count, T, 0.5) for count in (0, 1, 2, 3, 4, 5, 6, 2000)] == [
        1,
        2,
        4,
        8,
        16,
        30,
        30,
        30,
    ]


@pytest.mark.parametrize(("servers", "seconds"), [(1, T / 3), (3, 2.0), (5, T / 7), (50, 1.0)])
def test_a_dead_server_leaves_time_for_another(servers: int, seconds: float) -> None:
    """A third of the session timeout is left when silence is noticed; one dead server takes no more of it."""
    assert dial_timeout(T, servers) == pytest.approx(seconds)
    assert dial_timeout(T, servers) <= T / 3


def test_the_first_connection_waits_for_nothing() -> None:
    """Without a loss there is no pause, nor before the second attempt after one."""
    fresh = Losses[str](T)
    assert fresh.pause(100.0, 1.0) == 0.0
    losses, pause = lost(0.0, 100.0, 100.0)
    assert pause == T / 4
    assert losses.pause(100.0, 1.0) == 0.0


def test_connections_that_do_not_last_are_made_more_seldom() -> None:
    """Losses soon after connecting double the pause, one after a session timeout forgets them."""
    losses, first = lost(0.0, 1.0, 1.0)
    _, second = lost(1.0, 2.0, 2.0, losses)
    assert (first, second) == (T / 2, T / 2)
    assert lost(2.0, 60.0, 60.0, losses)[1] == T / 4


def test_after_a_silence_another_server_is_tried_at_once() -> None:
    """A server that fell silent costs no pause, is passed over once, and only once."""
    losses, pause = lost(0.0, 100.0, 106.0)
    assert pause == 0.0
    assert not losses.avoids("b")
    assert losses.avoids("a")
    assert not losses.avoids("a")
    assert not lost(0.0, 100.0, 100.0)[0].avoids("a")


def test_a_server_that_lets_a_request_wait_is_left_if_it_is_silent() -> None:
    """The connection is lost at once then; what the server sends after the request shows that it lives."""
    losses = Losses[str](T)
    losses.connected("a", 100.0)
    losses.unanswered(99.0)
    assert not losses.silent(102.0)
    losses.unanswered(100.5)
    assert losses.silent(102.0)
    losses.heard(102.1)
    assert not losses.silent(102.2)
    losses.unanswered(102.2)
    assert losses.pause(103.0, 1.0) == 0.0
    assert losses.avoids("a")
    losses.unanswered(103.0)
    losses.connected("b", 104.0)
    assert not losses.silent(104.0)
