"""The options of the verbs that commit. What they ask for is done by `consent`, `steps` and `waiting`.

Those modules are imported once the session connects, and this one before.
"""

import functools
import sys
from collections.abc import Callable

import click
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client.note import Note
from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.service.ctl.commit.duration import duration

_LEAST_TRIAL, _MOST_TRIAL = 10, 7 * 86400
_ALLOWABLE = [word for word in DISRUPTION_WORDS if word != Disruption.OTHER_DATA.word]
TRIAL_PAUSE = "lunmapd.pause"
"""The name under which click's context has the Pause of --pause."""

dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Show the changes and what nodes would do, and commit nothing."
)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait until every live node of the map has applied the revision. What failed there before, of other "
    "objects, does not count.",
)


class Consent(Struct, frozen=True):
    """What the admin has agreed to beforehand.

    Disruptions up to `allow`; with `yes` everything but an empty map, which `empty` allows, and a drain of
    the only way to a Lun, which `allow` must name.
    """

    allow: Disruption = Disruption.UNIT_ATTENTION
    yes: bool = False
    empty: bool = False


_allow_option = click.option(
    "--allow",
    type=click.Choice(_ALLOWABLE),
    default=Disruption.UNIT_ATTENTION.word,
    metavar="CLASS",
    help="Agree to disturb hosts up to this class, of those that 'plan' names.",
)
_yes_option = click.option("--yes", is_flag=True, help="Agree to disturb hosts, and to remove much at once.")
_empty_option = click.option("--allow-empty", "empty", is_flag=True, help="Agree to a map without nodes.")


def consent_options(*, can_empty: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options that answer the questions of a commit.

    The command receives them as `consent`. `can_empty`: its edit can remove the last node or object.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(*args: object, allow: str, yes: bool, empty: bool = False, **rest: object) -> None:
            command(*args, consent=Consent(DISRUPTION_WORDS[allow], yes, empty), **rest)

        return _allow_option(_yes_option(_empty_option(wrapped) if can_empty else wrapped))

    return decorate


class Pause(Struct, frozen=True):
    """How long the first nodes try a revision before it goes on, or whether that is asked."""

    seconds: int = 0
    asks: bool = False


def _pause(context: click.Context, option: click.Parameter, value: str | None) -> Pause | None:
    if value == "ask":
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.BadParameter("nobody can answer: it needs a terminal", context, option)
        return Pause(asks=True)
    seconds = duration(0, _MOST_TRIAL)(context, option, value)
    return None if seconds is None else Pause(seconds)


def rollout_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that start a rollout; the command receives them in its `note`."""

    @click.option(
        "--first",
        default="",
        metavar="NODE[,NODE]",
        help="Only these nodes follow the revision until 'rollout continue'.",
    )
    @click.option(
        "--pause",
        callback=_pause,
        metavar="DURATION|ask",
        help="Continue by itself if the first nodes have had no new problem for this time (as 90s, 10m), or "
        "ask.",
    )
    @click.option(
        "--confirm-within",
        callback=duration(_LEAST_TRIAL, _MOST_TRIAL),
        metavar="DURATION",
        help="The nodes undo the revision after this time (as 90s, 10m, 2h), unless 'confirm' keeps it.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: object,
        note: Note,
        first: str,
        pause: Pause | None,
        confirm_within: int | None,
        **rest: object,
    ) -> None:
        names = tuple(name.strip() for name in first.split(",")) if first else ()
        if pause is not None and not names:
            raise click.UsageError("--pause needs --first: it is how long the first nodes try the revision")
        click.get_current_context().meta[TRIAL_PAUSE] = pause
        command(*args, note=replace(note, first=names, confirm_within=confirm_within or 0), **rest)

    return wrapped
