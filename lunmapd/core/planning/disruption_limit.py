"""The disruption limit: steps above the allowed class are held while an affected initiator is logged in."""

import re
from collections.abc import Set as AbstractSet

from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Allowance
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.impact import AccessPaths, Audience, Impact
from lunmapd.core.planning.plan import Action, Plan, Step, disruption
from lunmapd.core.planning.withhold import Permitted, created_keys, withhold_steps

_MAX_NAMED = 5
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def allowed_disruption(usual: Disruption, allowance: Allowance | None, node: str, now: str) -> Disruption:
    """Return the highest class that is allowed on the node.

    It is the setting, or the class of a current override if that is higher. `usual` is the setting,
    `allowance` the override; `now` is RFC 3339 in UTC, to the second. An override that is limited to Luns
    raises no class for all of them.
    """
    if allowance is None or allowance.luns or not is_current(allowance, node, now):
        return usual
    return max(usual, DISRUPTION_WORDS.get(allowance.disruption, usual))


def is_current(allowance: Allowance, node: str, now: str) -> bool:
    """Return whether an override concerns the node and has not ended; `now` is RFC 3339 in UTC."""
    # Times in this form sort as text.
    lasts = _TIME.fullmatch(allowance.until) is not None and now < allowance.until
    return lasts and (not allowance.nodes or node in allowance.nodes)


def may_exceed(steps: Plan, allow: Disruption) -> bool:
    """Return whether any step could be above the class, for some set of logged-in initiators."""
    return any(_at_most(step) > allow for step in steps)


def _at_most(step: Step) -> Disruption:
    worst = disruption(step)
    return worst if worst < Disruption.PATH_LOSS else Disruption.DATA_UNREACHABLE


def limit_disruption(steps: Plan, observed: Observed, paths: AccessPaths, allow: Disruption) -> Permitted:
    """Withhold the steps above the allowed class, with the steps that depend on them.

    Isolation alone disables a TPG that the map asks to be enabled; such a step is never withheld.
    """
    if not may_exceed(steps, allow):
        return Permitted(steps)
    audience, created = Audience(observed, paths), created_keys(steps)
    withheld = dict[tuple[Action, lio_objects.Key], Failure]()
    for step in steps:
        impact = audience.impact(step)
        if impact.now > allow and not _isolates(step, created, paths):
            withheld[step.action, lio_objects.key_of(step.item)] = _failure(impact)
    return withhold_steps(steps, withheld)


def _isolates(step: Step, created: AbstractSet[lio_objects.Key], paths: AccessPaths) -> bool:
    key = lio_objects.key_of(step.item)
    disables = step.action is Action.DELETE and isinstance(step.item, lio_objects.Enabled)
    return disables and key in paths.desired and key not in created


def _failure(impact: Impact) -> Failure:
    names = sorted({session.initiator for session in impact.sessions})
    who = first_of(names, _MAX_NAMED)
    return Failure(
        Reason.HELD,
        f"{impact.now.word} for {who}, logged in now: held until they log out, "
        f"or 'lunmapctl override {impact.now.word}' allows it",
    )
