"""What a node does unasked: steps above the allowed class of disruption are held, with all that can't be done without them."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Allowance
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.impact import AccessPaths, Audience, Impact
from lunmapd.core.planning.plan import Action, Disruption, Plan, Step, disruption
from lunmapd.core.planning.withhold import Permitted, created_keys, withhold_steps

DISRUPTION_WORDS: Mapping[str, Disruption] = {each.word: each for each in Disruption}

_MOST_NAMED = 5
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def allowed_disruption(usual: Disruption, allowance: Allowance | None, node: str, now: str) -> Disruption:
    """Return the class that is allowed on the node: what the override says as long as it lasts, if it is more than usual.

    `now` is RFC 3339 in UTC, to the second.
    """
    if allowance is None or (allowance.nodes and node not in allowance.nodes):
        return usual
    # Texts of one form are in the order of their times.
    lasts = _TIME.fullmatch(allowance.until) is not None and now < allowance.until
    return max(usual, DISRUPTION_WORDS.get(allowance.disruption, usual)) if lasts else usual


def may_exceed(steps: Plan, allow: Disruption) -> bool:
    """Tell whether any of the steps could be above the class, whoever is logged in."""
    return any(_at_most(step) > allow for step in steps)


def _at_most(step: Step) -> Disruption:
    worst = disruption(step)
    return worst if worst < Disruption.PATH_LOSS else Disruption.DATA_UNREACHABLE


def limit_disruption(steps: Plan, observed: Observed, ways: AccessPaths, allow: Disruption) -> Permitted:
    """Leave out what is above the allowed class, what stands on it, and the removal of what could then not be made again.

    That a TPG is disabled though the map wants it enabled is the doing of isolation, and never held.
    """
    if not may_exceed(steps, allow):
        return Permitted(steps)
    audience, made = Audience(observed, ways), created_keys(steps)
    refused = dict[tuple[Action, lio_objects.Key], Failure]()
    for step in steps:
        effect = audience.impact(step)
        if effect.now > allow and not _isolates(step, made, ways):
            refused[step.action, lio_objects.key_of(step.item)] = _failure(effect)
    return withhold_steps(steps, refused)


def _isolates(step: Step, made: AbstractSet[lio_objects.Key], ways: AccessPaths) -> bool:
    key = lio_objects.key_of(step.item)
    closes = step.action is Action.DELETE and isinstance(step.item, lio_objects.Enabled)
    return closes and key in ways.wanted and key not in made


def _failure(effect: Impact) -> Failure:
    names = sorted({session.initiator for session in effect.sessions})
    who = first_of(names, _MOST_NAMED)
    return Failure(
        Reason.HELD,
        f"{effect.now.word} for {who}, logged in now: held until they log out, or 'lunmapctl override {effect.now.word}' allows it",
    )
