"""What an edit is committed on top of."""

import pytest
from msgspec.structs import replace

from lunmapd.client import Note
from lunmapd.service.ctl.commit.options import Consent
from lunmapd.service.ctl.edits.options import How
from lunmapd.service.ctl.edits.run import bind

HOW = How(Note("why"), Consent(), dry_run=False, wait=None, output="table")


@pytest.mark.parametrize(("expected", "bound"), [(None, 7), (5, 5)])
def test_a_drain_is_bound_to_the_map_whose_paths_were_looked_at(expected: int | None, bound: int) -> None:
    """Another drain meanwhile may end the other path; a revision that the admin expects stays."""
    how = bind(replace(HOW, note=replace(HOW.note, expect=expected)), 7)
    assert how.note == Note("why", expect=bound)
