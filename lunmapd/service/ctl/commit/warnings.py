"""The warnings of a map before its commit: those that the change brings, or that concern what it changes."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from lunmapd.client import Problem, Proposal
from lunmapd.core.base.errors import Place
from lunmapd.core.base.text import count_of
from lunmapd.service.output import echo


def warn_of_changes(proposal: Proposal) -> None:
    """Print the warnings of changed objects, and those that are new."""
    from lunmapd.core.map.rules import map_warnings

    before, after = proposal.before.lunmap, proposal.after
    luns: set[str] | None = None
    if before.targets == after.targets and before.nodes == after.nodes:
        luns = {change.path.removeprefix("luns/") for change in proposal.changes}
    _echo_warnings(_new_warnings(proposal, map_warnings(after, luns), luns))


def warn_of_file(proposal: Proposal, locate: Callable[[Place, str], Problem]) -> None:
    """Print the same warnings with the lines of a file, and the number of the others.

    `locate` returns the problem of a place and a message.
    """
    from lunmapd.core.map.rules import map_warnings

    warnings = map_warnings(proposal.after)
    shown = _new_warnings(proposal, warnings)
    _echo_warnings(locate(each.place, each.message) for each in shown)
    if others := len(warnings) - len(shown):
        left_out = f"{count_of(others, 'warning')} of unchanged objects left out"
        echo(f"lunmapctl: {left_out}: see 'lunmapctl get | lunmapctl validate -'", err=True)


def _new_warnings(
    proposal: Proposal, warnings: tuple[Problem, ...], luns: AbstractSet[str] | None = None
) -> list[Problem]:
    """Return the warnings of changed objects, and those that the map did not have before."""
    from lunmapd.core.map.rules import map_warnings

    if not warnings:
        return []
    changed = {change.path for change in proposal.changes}
    known = set(map_warnings(proposal.before.lunmap, luns))
    return [each for each in warnings if each not in known or "/".join(map(str, each.place[:2])) in changed]


def _echo_warnings(warnings: Iterable[Problem]) -> None:
    from lunmapd.service.ctl.text.problem_lines import problem_lines

    echo(*(f"lunmapctl: warning: {line}" for line in problem_lines(warnings)), err=True)
