import pytest
from msgspec.structs import replace

from lab.wait import wait_until
from lunmapd.core.base.documents import encode
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NodeNameTakenError, NotInitialisedError
from lunmapd.store.session.limits import TooLargeError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import FleetNode, is_registered, read_fleet, register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import read_newer
from support.commits import NOW
from support.plain_client import PlainClient, owns
from support.sessions import LIVE, STATUS, Connect, expire

pytestmark = pytest.mark.integration


def test_a_node_registers_once(session: Session) -> None:
    """The ephemeral is this session's, and registering again leaves it as it is."""
    assert not owns(session, "n1")
    register(session, "n1", LIVE)
    register(session, "n1", replace(LIVE, since="later"))
    assert owns(session, "n1")
    assert read_fleet(session) == {"n1": FleetNode(LIVE)}


def test_a_registration_is_known_to_be_held(session: Session, connect: Connect) -> None:
    """A registration is held by the session that owns the ephemeral, as long as that exists.

    A node reads its owner together with what is new in the tree.
    """
    known = read_tree(session)
    assert not is_registered(session, "n1")
    register(session, "n1", LIVE)
    assert is_registered(session, "n1")
    assert read_newer(session, known, node="n1").owner == session.session_id
    assert read_newer(session, known, node="n2").owner == 0
    other = connect()
    assert not is_registered(other, "n1")
    assert read_newer(other, known, node="n1").owner == session.session_id
    with PlainClient(session) as shell:
        shell.delete(paths.live_of("n1"))
    assert not is_registered(session, "n1")


def test_the_ephemeral_of_ones_own_past_is_taken_over(session: Session, connect: Connect) -> None:
    """An ephemeral that an earlier session of this machine left behind is replaced at once."""
    before = connect()
    register(before, "n1", LIVE)
    again = replace(LIVE, boot="b2")
    register(session, "n1", again)
    assert owns(session, "n1")
    assert not owns(before, "n1")
    before.close()
    assert read_fleet(session)["n1"].live == again


def test_another_machine_of_the_same_name_is_refused(session: Session, connect: Connect) -> None:
    """A name that another machine uses is refused, with its machine id and since when."""
    register(connect(), "n1", LIVE)
    with pytest.raises(NodeNameTakenError, match="machine m1 since 2025") as caught:
        register(session, "n1", replace(LIVE, machine="m2"))
    assert (caught.value.machine, caught.value.since) == ("m1", NOW)
    assert read_fleet(session)["n1"].live == LIVE


def test_a_twin_is_no_past_of_ones_own(session: Session, connect: Connect) -> None:
    """A node replaced by another run of its machine id leaves the registration and reports a clone."""
    other = connect()
    register(session, "n1", LIVE)
    register(other, "n1", replace(LIVE, boot="b2", since="later"))
    with pytest.raises(NodeNameTakenError, match=r"since later.*machine-id") as caught:
        register(session, "n1", LIVE, held=True)
    assert caught.value.machine == "m1"
    assert owns(other, "n1")
    other.close()
    register(session, "n1", LIVE, held=True)
    assert owns(session, "n1")


def test_what_one_made_in_an_earlier_session_of_this_run_is_taken_back(
    session: Session, connect: Connect
) -> None:
    """An ephemeral of the same run is one's own, whichever session has made it."""
    register(connect(), "n1", LIVE)
    register(session, "n1", LIVE, held=True)
    assert owns(session, "n1")


def test_garbage_under_the_name_is_not_taken_over(session: Session) -> None:
    """An ephemeral that can't be read may be of any machine and is left alone."""
    with PlainClient(session) as shell:
        shell.create(paths.member_of("n1"), b"")
        shell.create(paths.live_of("n1"), b"garbage")
        with pytest.raises(NodeNameTakenError, match="unreadable"):
            register(session, "n1", LIVE)
        assert shell.get(paths.live_of("n1")) == b"garbage"


def test_a_closed_session_is_gone_at_once(session: Session, connect: Connect) -> None:
    """Closing a session removes the ephemeral without waiting for the session to expire."""
    leaving = connect()
    register(leaving, "n1", LIVE)
    leaving.close()
    assert read_fleet(session) == {}


def test_an_expired_session_registers_again(session: Session, connect: Connect) -> None:
    """After the server expired the session, the node sees that it isn't registered and can register again."""
    expiring = connect()
    register(expiring, "n1", LIVE)
    old = expiring.session_id
    expire(expiring)
    wait_until("a new session", lambda: expiring.session_id not in {None, old})
    assert not owns(expiring, "n1")
    register(expiring, "n1", LIVE)
    with PlainClient(session) as shell:
        assert shell.owner(paths.live_of("n1")) == expiring.session_id


@pytest.mark.parametrize(
    "call", [lambda s: register(s, "n1", LIVE), lambda s: write_status(s, "n1", STATUS), read_fleet]
)
def test_without_a_tree_nothing_is_made(connect: Connect, call: object) -> None:
    """A node makes no part of a tree by itself."""
    assert callable(call)
    with pytest.raises(NotInitialisedError):
        call(connect())


def test_a_status_is_made_and_replaced(session: Session) -> None:
    """The first status makes the znode, the next one replaces it, and it outlives the session."""
    write_status(session, "n1", STATUS)
    write_status(session, "n1", replace(STATUS, sessions=3))
    assert read_fleet(session) == {"n1": FleetNode(None, replace(STATUS, sessions=3))}


def test_a_status_that_is_too_large_is_refused(session: Session) -> None:
    """A status above the limit of a document is refused before it is sent."""
    with pytest.raises(TooLargeError, match="members/n1/status"):
        write_status(session, "n1", replace(STATUS, version="x" * 300_000))
    assert read_fleet(session) == {}


def test_garbage_of_one_node_hides_no_other(session: Session) -> None:
    """A wrong document of one node is a problem of that node, and the others are read."""
    write_status(session, "good", STATUS)
    with PlainClient(session) as shell:
        shell.create(paths.member_of("bad"), b"")
        shell.create(paths.status_of("bad"), b"{}")
        shell.create(paths.live_of("bad"), encode({"machine": 3}))
    fleet = read_fleet(session)
    assert fleet["good"] == FleetNode(None, STATUS)
    bad = fleet["bad"]
    assert (bad.live, bad.status) == (None, None)
    assert [problem.split(":")[0] for problem in bad.problems] == ["members/bad/live", "members/bad/status"]


def test_a_node_registers_in_a_tree_of_the_former_schema(former: Session) -> None:
    """An upgraded node makes its znodes in a tree that is not migrated yet."""
    assert read_fleet(former) == {}
    register(former, "n1", LIVE)
    write_status(former, "n1", STATUS)
    assert read_fleet(former) == {"n1": FleetNode(LIVE, STATUS)}
