"""Undoing one revision in the newest map."""

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, Note, RevertConflictError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.session.session import Session
from support.agents import H, mapped_luns
from support.cluster import Ctl

pytestmark = pytest.mark.integration


@pytest.fixture
def admin(session: Session) -> Client:
    """Give an admin of a tree in which revision 2 adds a Lun and an alias, and revision 3 another Lun."""
    client = Client(session)
    client.apply(mapped_luns(1))
    client.apply(with_alias(mapped_luns(1, 2), "second"), Note(author="ann"))
    client.apply(with_alias(mapped_luns(1, 2, 3), "second"), Note(author="bob"))
    return client


def with_alias(lunmap: Lunmap, alias: str) -> Lunmap:
    """Return the map with an alias of the host."""
    return replace(lunmap, initiators={H: replace(lunmap.initiators[H], alias=alias)})


def test_one_revision_is_undone_and_later_ones_stay(admin: Client, ctl: Ctl) -> None:
    """The Lun and the alias of revision 2 go, the Lun of revision 3 stays; the log names what was undone."""
    assert "- luns/l2" in ctl("revert", "2", "-n").out
    assert "- luns/l2" in ctl("plan", "revert", "2", expect=None).out
    answer = ctl("revert", "2", "--yes")
    assert "committed revision 4\n" in answer.out
    assert admin.read().lunmap == mapped_luns(1, 3)
    assert admin.revision(4).message == "revert 2"
    assert ctl("revert", "2").out == "nothing to change: the map is at revision 4\n"
    assert "committed revision 5\n" in ctl("revert", "4", "--yes", "--reuse-lun", "l2").out
    assert set(admin.read().lunmap.luns) == {"l1", "l2", "l3"}


def test_a_field_that_was_changed_later_is_a_clash(admin: Client, ctl: Ctl) -> None:
    """Exit code 4 names object, field, author and revision, and nothing is committed."""
    admin.apply(with_alias(mapped_luns(1, 2, 3), "third"), Note(author="eve"))
    with pytest.raises(RevertConflictError):
        admin.propose_revert(2)
    answer = ctl("revert", "2", expect=4)
    assert "the same fields as in revision 2 were changed later" in answer.err
    assert f'initiators/{H}: alias: "second" -> "third" (by eve in revision 4)' in answer.err
    assert admin.newest() == 4


def test_a_revision_without_changes_reverts_nothing(admin: Client, ctl: Ctl) -> None:
    """A confirmation, for instance; a revision that does not exist is refused."""
    admin.confirm()
    assert ctl("revert", "4").out == "nothing to change: the map is at revision 4\n"
    assert "there is no revision 9" in ctl("revert", "9", expect=1).err
