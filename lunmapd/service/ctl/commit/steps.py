"""The steps that the verbs that commit share: warning, showing, asking, committing."""

import sys
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Problem, Proposal, Revision
from lunmapd.core.base.errors import Exit, Place, problem_lines
from lunmapd.core.base.text import count_of
from lunmapd.service.ctl.commit.consent import agree, foresee, show_forecast
from lunmapd.service.ctl.commit.options import Consent
from lunmapd.service.ctl.commit.waiting import echo_made, next_steps, remember_nodes
from lunmapd.service.output import echo, echo_paragraphs

if TYPE_CHECKING:
    from lunmapd.service.ctl.text.hosts.host_lines import HostDuties


def commit_proposal(
    client: Client,
    proposal: Proposal,
    note: Note,
    consent: Consent | None,
    output: str,
    nothing: str,
    losses: tuple[str, ...] = (),
    wait: float | None = None,
) -> Revision | None:
    """Show what the nodes would do and what hosts have to do, ask for what `consent` lacks, and commit.

    Without consent nothing is committed; the JSON is then that of 'plan'. `losses` are as in `agree`. `wait`
    is for how long `wait_for` is called then, which prints the JSON.
    """
    if consent is None and output == "json":
        show_forecast(client, proposal, note, output)
        return None
    duties = _find_duties(proposal, output)
    if proposal.changes:
        forecast = foresee(client, proposal, note, output)
        _echo_more(*duties.before)
        if consent is None:
            echo(*losses, err=True)
        else:
            agree(proposal, forecast, consent, output, losses)
        # During a rollout 'confirm' would keep the revision, so the agreement confirms its removals.
        note = replace(note, confirm_removals=any(node.mass_removal for node in forecast.nodes))
    if consent is not None:
        remember_nodes(client, note, wait, proposal.before)
    made = None if consent is None else client.apply(proposal, note)
    echo_made(made, proposal.changes, output, nothing, wait, is_shown=bool(proposal.changes))
    if made is not None and output != "json":
        echo(*next_steps(note, made.revision), err=True)
    _echo_more(*duties.after)
    return made


def show_plan(
    client: Client, proposal: Proposal, note: Note, output: str, losses: tuple[str, ...] = ()
) -> None:
    """Show what the nodes would do and what hosts have to do; exit with 6 if a host would notice it."""
    forecast = show_forecast(client, proposal, note, output)
    duties = _find_duties(proposal, output)
    if output != "json":
        _echo_more(losses, *duties.before, *duties.after)
    if forecast.is_noticed or losses:
        sys.exit(Exit.DEGRADED)


def _find_duties(proposal: Proposal, output: str) -> "HostDuties":
    """Return what hosts have to do before and after the commit, for people."""
    from lunmapd.service.ctl.text.hosts.host_lines import HostDuties

    return HostDuties() if output == "json" else _duties_between(proposal.before.lunmap, proposal.after)


def echo_duties(before: Lunmap, after: Lunmap) -> None:
    """Print below other lines what hosts have to do for a change that needs no plan."""
    duties = _duties_between(before, after)
    _echo_more(*duties.before, *duties.after)


def _duties_between(before: Lunmap, after: Lunmap) -> "HostDuties":
    from lunmapd.core.forecast.reduce import reduce_maps
    from lunmapd.service.ctl.text.hosts.host_lines import host_duties

    # Unchanged Luns need nothing of hosts.
    return host_duties(*reduce_maps(before, after))


def _echo_more(*paragraphs: Iterable[str]) -> None:
    """Print paragraphs below others."""
    if any(paragraphs):
        echo("")
        echo_paragraphs(*paragraphs)


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
    echo(*(f"lunmapctl: warning: {line}" for line in problem_lines(warnings)), err=True)


def nothing_text(proposal: Proposal, *, dry_run: bool) -> str:
    """Return the sentence that nothing was committed."""
    if dry_run and proposal.changes:
        return "nothing was committed (dry run)"
    return f"nothing to change: the map is at revision {proposal.before.revision}"
