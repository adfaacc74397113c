"""What the errors of a commit say."""

from lunmapd.store.commit.commit_errors import CommitInterruptedError


def test_an_interrupted_wait_names_the_nodes_that_are_behind() -> None:
    """And the revision, which stays committed."""
    stopped = "revision 7 is committed; stopped waiting"
    assert str(CommitInterruptedError.after(7)) == stopped
    assert str(CommitInterruptedError.after(7, ["n1", "n3"])) == f"{stopped} for n1, n3"
    assert str(CommitInterruptedError.after(None)) == "interrupted; nothing was committed"
