"""Durations of options: a number with or without a unit."""

import click
import pytest

from lunmapd.service.ctl.commit.duration import duration

OPTION = click.Option(["--for"])
CONTEXT = click.Context(click.Command("verb"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_a_duration_has_a_unit(text: str, seconds: int) -> None:
    """Without a unit it is in seconds."""
    assert duration(10, 86400)(CONTEXT, OPTION, text) == seconds


def test_an_option_that_is_left_out_has_no_duration() -> None:
    """None stays None."""
    assert duration(10, 60)(CONTEXT, OPTION, None) is None


@pytest.mark.parametrize("text", ["", "m", "1.5m", "-1", "5 m", "9s", "2m"])
def test_another_text_is_wrong_usage(text: str) -> None:
    """Neither another form nor a time outside of the limits is taken."""
    with pytest.raises(click.BadParameter):
        duration(10, 60)(CONTEXT, OPTION, text)
