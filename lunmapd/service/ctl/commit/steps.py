"""The steps that the verbs that commit share: their options, showing, asking, committing, waiting."""

from collections.abc import Callable, Iterable, Sequence

import click
from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Problem, Proposal, Revision
from lunmapd.service.ctl.commit.consent import Consent, agree, foresee, show_forecast
from lunmapd.service.ctl.commit.waiting import is_waiting, next_steps, remember_first
from lunmapd.service.ctl.text.output import echo_committed
from lunmapd.service.output import echo, echo_paragraphs

dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Show the changes and what nodes would do, and commit nothing."
)


def commit_proposal(
    client: Client,
    proposal: Proposal,
    note: Note,
    consent: Consent | None,
    output: str,
    nothing: str,
    first: Sequence[Iterable[str]] = (),
    losses: tuple[str, ...] = (),
    wait: float | None = None,
) -> Revision | None:
    """Show what the nodes would do, ask for what `consent` lacks, and commit.

    Without consent nothing is committed; the JSON is then that of 'plan'.
    `first` are paragraphs about what must be done before the commit, for people; `losses` are as in `agree`.
    `wait` is for how long `wait_for` is called then, which prints the JSON.
    """
    if consent is None and output == "json":
        show_forecast(client, proposal, note, output)
        return None
    if proposal.changes:
        forecast = foresee(client, proposal, note, output)
        if first and output != "json":
            echo("")
            echo_paragraphs(*first)
        if consent is None:
            echo(*losses, err=True)
        else:
            agree(proposal, forecast, consent, output, losses)
        # During a rollout 'confirm' would keep the revision, so the agreement confirms its removals.
        note = replace(note, confirm_removals=any(node.mass_removal for node in forecast.nodes))
    if consent is not None:
        remember_first(client, note)
    made = None if consent is None else client.apply(proposal, note)
    if output != "json" or not is_waiting(wait):
        echo_committed(made, proposal.changes, output, nothing, is_shown=bool(proposal.changes))
    if made is not None and output != "json":
        echo(*next_steps(note, made.revision), err=True)
    return made


def warn_of_map(lunmap: Lunmap, locate: Callable[..., Problem]) -> None:
    """Print the warnings of a map; `locate` returns the problem of a place and a message."""
    from lunmapd.core.map import rules
    from lunmapd.service.ctl.text.problem_lines import problem_lines

    located = [locate(warning.place, warning.message) for warning in rules.map_warnings(lunmap)]
    echo(*(f"lunmapctl: warning: {line}" for line in problem_lines(located)), err=True)


def nothing_text(proposal: Proposal, *, dry_run: bool) -> str:
    """Return the sentence that nothing was committed."""
    if dry_run and proposal.changes:
        return "nothing was committed (dry run)"
    return f"nothing to change: the map is at revision {proposal.before.revision}"
