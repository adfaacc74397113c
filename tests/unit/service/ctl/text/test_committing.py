"""What a verb that commits states when it is interrupted."""

import io

import click
import pytest

from lunmapd.service.ctl.text.output import committing, watch_commits
from lunmapd.store.commit.commit_errors import CommitInterruptedError


class Interrupted:
    """Standard input at which the user presses Ctrl-C."""

    def readline(self, _size: int = -1) -> str:
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("committed", "text"), [(None, "nothing was committed"), (7, "revision 7 is committed")]
)
def test_an_interrupt_at_a_question(
    monkeypatch: pytest.MonkeyPatch, committed: int | None, text: str
) -> None:
    """It is stated what was committed, as at any other moment."""
    monkeypatch.setattr("sys.stdin", Interrupted())
    with click.Context(click.Command("apply")):
        watch_commits(lambda: committed)
        with pytest.raises(CommitInterruptedError, match=text), committing():
            click.confirm("Commit?", err=True)


def test_an_input_that_ends_at_a_question_is_no_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error stays."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with click.Context(click.Command("apply")), pytest.raises(click.Abort), committing():
        click.confirm("Commit?", err=True)
