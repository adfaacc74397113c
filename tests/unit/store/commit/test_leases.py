"""An interrupt after a commit, while the znodes of its floating groups are made."""

from typing import Any

import pytest

from lunmapd.store.commit.commit_errors import CommitInterruptedError
from lunmapd.store.commit.leases import keep_leases
from support.floating_map import FLOATING


class Interrupted:
    """A session during whose first request Ctrl-C is pressed."""

    def __getattr__(self, name: str) -> Any:
        raise KeyboardInterrupt(name)


def test_an_interrupt_does_not_hide_the_commit() -> None:
    """The text names the revision, which is committed already."""
    session: Any = Interrupted()
    with pytest.raises(CommitInterruptedError, match="revision 7 is committed"):
        keep_leases(session, FLOATING, 7)
