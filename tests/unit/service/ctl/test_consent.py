"""What is asked before a commit, and what answers it."""

import io
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.client import Lunmap
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.service.ctl.commit.consent import NotAgreedError, agree
from lunmapd.service.ctl.commit.options import Consent
from support.agents import mapped_luns
from support.forecasts import HERE, forecast, proposal, view
from support.small_map import LUN, MAP, H

NONE = replace(MAP, luns={"a": replace(LUN, maps=())})
THERE = {"n1": view(HERE), "n2": view()}


class Terminal(io.StringIO):
    """A stream of a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def ask(
    before: Lunmap, after: Lunmap, consent: Consent, views: Mapping[str, NodeView], output: str = "table"
) -> None:
    """Ask for the agreement to a commit."""
    agree(proposal(before, after), forecast(before, after, views), consent, output)


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let a terminal answer the next questions."""
    monkeypatch.setattr("sys.stdin", Terminal(text))
    monkeypatch.setattr("sys.stderr", Terminal())


def test_a_script_that_disturbs_a_host_is_refused() -> None:
    """The error names the class, the hosts and the option; its exit code is that of a degraded state."""
    with pytest.raises(NotAgreedError) as refused:
        ask(MAP, NONE, Consent(), THERE)
    assert refused.value.lines == (
        f"data-unreachable for {H}: if that is meant, use --allow data-unreachable, or --yes",
        "nothing was committed",
    )
    assert refused.value.exit_code == 6


@pytest.mark.parametrize("consent", [Consent(Disruption.DATA_UNREACHABLE), Consent(yes=True)])
def test_an_option_agrees_to_a_disturbance(consent: Consent) -> None:
    """It names the class, or anything."""
    ask(MAP, NONE, consent, THERE)


def test_a_node_that_is_the_only_way_needs_the_class_by_name() -> None:
    """--yes agrees to what 'retire' removes, and does not cut off a host with it."""
    made, foreseen = proposal(MAP, MAP), forecast(MAP, MAP, THERE)
    losses = ("n1 is the only way: a for h",)
    with pytest.raises(NotAgreedError, match="n1 is the only way"):
        agree(made, foreseen, Consent(yes=True), "table", losses)
    agree(made, foreseen, Consent(Disruption.DATA_UNREACHABLE), "table", losses)


def test_a_lower_class_is_not_enough() -> None:
    """As with `lunmapctl override`, the class is the highest one."""
    with pytest.raises(NotAgreedError):
        ask(MAP, NONE, Consent(Disruption.SESSION_DROP), THERE)


def test_what_disturbs_nobody_needs_no_option() -> None:
    """New Luns are committed by scripts, and so is what nodes would hold, or nobody is logged in for."""
    ask(NONE, MAP, Consent(), THERE)
    ask(MAP, NONE, Consent(), {"n1": view(), "n2": view()})
    ask(MAP, NONE, Consent(), {"n1": view(HERE, allow="none"), "n2": view()})


def test_an_answer_of_no_needs_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal has seen the question; it states only that nothing was committed."""
    answer(monkeypatch, "n\n")
    with pytest.raises(NotAgreedError) as refused:
        ask(MAP, NONE, Consent(), THERE)
    assert refused.value.lines == ("nothing was committed",)


def test_a_mass_removal_needs_more_than_a_class() -> None:
    """It would be held by the node, so a class of disruption does not stand for it."""
    many, few = mapped_luns(*range(20)), mapped_luns(*range(4))
    with pytest.raises(NotAgreedError, match="n1 would remove 16 of 20 mapped LUNs") as refused:
        ask(many, few, Consent(Disruption.DATA_UNREACHABLE), {"n1": view(HERE)})
    assert "lunmapctl confirm" in refused.value.lines[0]
    ask(many, few, Consent(yes=True), {"n1": view(HERE)})


@pytest.mark.parametrize("after", [EMPTY_MAP, replace(MAP, nodes={}, targets={}, luns={})])
def test_a_map_that_loses_all_nodes_needs_an_option_of_its_own(after: Lunmap) -> None:
    """An empty file, or one that was cut off, is never meant by --yes."""
    with pytest.raises(NotAgreedError, match=r"the new map has no nodes: .*--allow-empty"):
        ask(MAP, after, Consent(yes=True), THERE)
    ask(MAP, after, Consent(yes=True, empty=True), THERE)


def test_a_map_that_never_had_nodes_may_grow_and_shrink() -> None:
    """Only its last object needs the option."""
    bare = replace(MAP, nodes={}, targets={}, luns={})
    ask(EMPTY_MAP, bare, Consent(), {})
    with pytest.raises(NotAgreedError):
        ask(bare, EMPTY_MAP, Consent(), {})


def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A yes agrees, and a no does not."""
    answer(monkeypatch, "y\nn\n")
    ask(MAP, NONE, Consent(), THERE)
    with pytest.raises(NotAgreedError):
        ask(MAP, NONE, Consent(), THERE)


def test_a_terminal_reads_what_it_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses are shown before the question, since the forecast of a drain has none of them."""
    answer(monkeypatch, "y\n")
    monkeypatch.setattr("sys.stderr", err := Terminal())
    agree(proposal(MAP, MAP), forecast(MAP, MAP, THERE), Consent(), "table", ("n1 is the only way",))
    shown = err.getvalue()
    assert shown.index("n1 is the only way\n") < shown.index("Commit?")


def test_json_is_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads JSON is not asked, even on a terminal."""
    answer(monkeypatch, "y\n")
    with pytest.raises(NotAgreedError):
        ask(MAP, NONE, Consent(), THERE, "json")
