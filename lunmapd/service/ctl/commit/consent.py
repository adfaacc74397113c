"""What a verb asks before it commits: whether hosts may be disturbed, and much may be removed."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Proposal
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.text import first_of
from lunmapd.service.ctl.commit.options import Consent
from lunmapd.service.output import echo, echo_json, echo_paragraphs

if TYPE_CHECKING:
    from lunmapd.core.forecast.fleet import Forecast

_MAX_NAMED = 3


class NotAgreedError(LunmapdError):
    """A commit lacks an agreement, or was refused at the question; nothing was committed.

    `questions` state what would give the agreement, none after an answer.
    """

    exit_code = Exit.DEGRADED

    def __init__(self, questions: tuple[str, ...]) -> None:
        self.questions = questions
        super().__init__("; ".join(questions))

    @property
    def lines(self) -> tuple[str, ...]:
        """The questions, one a line."""
        return (*self.questions, "nothing was committed")


def foresee(client: Client, proposal: Proposal, note: Note, output: str) -> "Forecast":
    """Return what the nodes would do; print it for people."""
    forecast = client.forecast(proposal, note)
    _echo_plan(proposal, forecast, output)
    return forecast


def show_forecast(client: Client, proposal: Proposal, note: Note, output: str) -> "Forecast":
    """Return what the nodes would do, as `foresee` does; print it as JSON, too."""
    forecast = client.forecast(proposal, note)
    show_foreseen(proposal, forecast, output)
    return forecast


def show_foreseen(proposal: Proposal, forecast: "Forecast", output: str) -> None:
    """Print the changes of a proposal and a forecast, for people or as JSON."""
    _echo_plan(proposal, forecast, output)
    if output == "json":
        from lunmapd.service.ctl.text.forecast_lines import plan_report

        echo_json(plan_report(proposal, forecast))


def _echo_plan(proposal: Proposal, forecast: "Forecast", output: str) -> None:
    from lunmapd.service.ctl.text.rollout_lines import rollout_note

    echo(*rollout_note(proposal.before), err=True)
    if output != "json":
        from datetime import UTC, datetime

        from lunmapd.service.ctl.text.forecast_lines import plan_paragraphs
        from lunmapd.service.table import terminal_layout

        layout = replace(terminal_layout(), full_names=False)
        echo_paragraphs(*plan_paragraphs(proposal, forecast, datetime.now(UTC), layout))


def agree(
    proposal: Proposal, forecast: "Forecast", consent: Consent, output: str, losses: tuple[str, ...] = ()
) -> None:
    """Ask for the agreement that is lacking, on a terminal.

    `losses` say which hosts would lose a Lun, in more detail than the forecast. Raises NotAgreedError, and
    RolloutPendingError during a rollout, in which nothing can be committed.
    """
    if proposal.before.rollout and proposal.before.tried:
        from lunmapd.store.commit.commit_errors import RolloutPendingError

        raise RolloutPendingError(proposal.before.rollout)
    if _is_emptied(proposal.before.lunmap, proposal.after) and not consent.empty:
        raise NotAgreedError(("the new map has no nodes: if that is meant, use --allow-empty",))
    lacking = () if consent.allow >= Disruption.DATA_UNREACHABLE else losses
    questions = lacking or (() if consent.yes else tuple(_questions(forecast, consent)))
    if not questions:
        return
    if can_ask(output):
        # The forecast, which is shown already, has the other questions.
        echo(*lacking, err=True)
        if click.confirm("Commit?", err=True):
            return
        questions = ()
    raise NotAgreedError(questions)


def _is_emptied(before: Lunmap, after: Lunmap) -> bool:
    """Return whether a map loses its last node, or its last object."""
    has_lost_nodes = bool(before.nodes) and not after.nodes
    return has_lost_nodes or (any(before.documents()) and not any(after.documents()))


def _questions(forecast: "Forecast", consent: Consent) -> Iterator[str]:
    """Yield what needs an agreement. LUN numbers that lead elsewhere have one: --reuse-lun."""
    worst = forecast.worst
    if forecast.disturbed and worst > consent.allow:
        hosts = first_of(forecast.disturbed, _MAX_NAMED)
        yield f"{worst.word} for {hosts}: if that is meant, use --allow {worst.word}, or --yes"
    for node in forecast.nodes:
        if node.mass_removal:
            yield (
                f"{node.node} would {node.mass_removal}, and waits for 'lunmapctl confirm': "
                "if that is meant, use --yes"
            )


def can_ask(output: str) -> bool:
    """Return whether somebody is there who reads a question and can answer it."""
    return output != "json" and sys.stdin.isatty() and sys.stderr.isatty()
