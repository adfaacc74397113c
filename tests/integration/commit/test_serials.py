"""Serials that get another path, against a real history."""

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, InvalidInputError, Note
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.trim import trim
from support.cluster import Ctl

pytestmark = pytest.mark.integration

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
S = "1" * 32
EMPTY = Lunmap(
    {}, {T: Target({"n1": PortalGroup(1)})}, {H: Initiator()}, nodes={"n1": Node(1, ("10.0.0.1:3260",))}
)


def having(name: str, path: str, lun: int | None = 5, serial: str = S) -> Lunmap:
    """Return the map with one Lun; without a LUN number it is unmapped."""
    maps = () if lun is None else (Map(T, lun, H),)
    return replace(EMPTY, luns={name: Lun(Block(path), serial, maps=maps)})


@pytest.fixture
def client(session: Session) -> Client:
    """Give a client of a tree in which Lun x with the serial is mapped, by revision 1."""
    opened = Client(session)
    opened.apply(having("x", "/dev/a"))
    return opened


def test_another_lun_with_the_serial_keeps_the_path(client: Client) -> None:
    """In one commit or two, a serial comes back in another Lun only with its path, or named."""
    with pytest.raises(InvalidInputError, match="Lun y would have /dev/b, and Lun x, with the same serial"):
        client.propose(having("y", "/dev/b"))
    client.apply(EMPTY)
    with pytest.raises(InvalidInputError, match="until revision 2"):
        client.apply(having("y", "/dev/b"))
    assert client.apply(having("y", "/dev/b"), Note(rebacking=("y",))) is not None
    client.apply(EMPTY)
    assert client.apply(having("z", "/dev/b")) is not None


def test_a_lun_that_was_unmapped_keeps_its_path(client: Client, session: Session) -> None:
    """Unmapping does not free the serial, as long as the revision is kept."""
    client.apply(having("x", "/dev/a", None))
    with pytest.raises(InvalidInputError, match="was mapped with /dev/a until revision 2"):
        client.apply(having("x", "/dev/b", None))
    client.apply(having("x", "/dev/a", None))
    client.edit(lambda lunmap: replace(lunmap, initiators={H: Initiator("renamed")}))
    trim(session, 1)
    assert client.apply(having("x", "/dev/b", None)) is not None


def test_a_new_lun_without_a_serial_needs_no_history(client: Client) -> None:
    """A serial that lunmapd chooses is new: the proposal says so, and its removal can be rolled back."""
    proposal = client.propose(having("y", "/dev/b", 6, serial=""))
    assert proposal.new_serials == {proposal.after.luns["y"].serial}
    client.apply(proposal)
    client.apply(EMPTY)
    assert client.rollback(2) is not None


def test_a_rollback_to_another_path_names_the_lun(client: Client, ctl: Ctl) -> None:
    """`rollback --rebacking` gives an unmapped Lun the path back that it had before."""
    client.apply(having("x", "/dev/b"), Note(rebacking=("x",)))
    client.apply(having("x", "/dev/b", None))
    assert "--rebacking x" in ctl("rollback", "1", expect=3).err
    ctl("rollback", "1", "--rebacking", "x")
    assert client.read().lunmap == having("x", "/dev/a")
