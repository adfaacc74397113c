"""The laws of the fuzz layer find a LIO that cheats, and its reader and oracle agree with a known example."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from fakes.lio import FakeLio
from fakes.lio_tree import FakeTree
from fuzz import documents
from fuzz.events import Event
from fuzz.fake import Fake
from fuzz.laws import ViolationError, check_opened
from fuzz.oracle import Document, expected
from fuzz.search import MEMORY, run, shortest
from fuzz.view import FOREIGN, list_configfs, read_view
from fuzz.world import World
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Step
from support.configfs_tree import IQN, Tree, served

Cheat = Callable[[FakeTree], None]
HOST = documents.HOSTS[0]
LUN = {
    "backing": {"type": "fileio", "path": "/srv/a"},
    "serial": "6" * 32,
    "size": 1 << 20,
    "maps": [{"target": documents.TARGETS[0], "lun": 3, "group": "both", "access": "ro"}],
}
TPG = f"iscsi/{documents.TARGETS[0]}/tpgt_1"


class CheatingLio(FakeLio):
    """A LIO in which something happens after each step."""

    def __init__(self, cheat: Cheat) -> None:
        super().__init__()
        self._cheat = cheat

    def apply(self, steps: Iterable[Step]) -> Iterator[StepOutcome]:
        """Apply the steps, and cheat."""
        for outcome in super().apply(steps):
            self._cheat(FakeTree(self))
            yield outcome


def write(path: str, text: str) -> Cheat:
    """Write a file after each step."""
    return lambda tree: tree.write(f"{TPG}/{path}", text)


def let_in(tree: FakeTree) -> None:
    """Show every LUN to everybody that has an ACL, as number 99."""
    listing = tree.listing()
    luns = [path for path in listing if path.startswith(f"{TPG}/lun/") and path.count("/") == 4]
    for path in listing:
        if path.startswith(f"{TPG}/acls/") and path.count("/") == 4 and luns:
            tree.make(f"{path}/lun_99", luns[0])


def unprotect(tree: FakeTree) -> None:
    """Make every LUN writable."""
    for path in tree.listing():
        if path.endswith("/write_protect"):
            tree.write(path, "0")


def meddle(tree: FakeTree) -> None:
    """Remove a portal of another tool."""
    tree.remove(f"iscsi/{FOREIGN}/tpgt_1/np/10.9.7.1:3260")


CHEATS = [
    (write("attrib/generate_node_acls", "1"), "takes everybody"),
    (write(f"acls/{HOST}/attrib/authentication", "0"), "has a rule of its own"),
    (let_in, "'99'.*no map gives that"),
    (unprotect, "rw': it was not so"),
    (meddle, "objects of another tool"),
]


def cheating(cheat: Cheat) -> Fake:
    """Return a fake with such a LIO."""
    return Fake(CheatingLio(cheat))


@pytest.mark.parametrize(("cheat", "law"), CHEATS)
def test_a_lio_that_cheats_breaks_a_law(cheat: Cheat, law: str, tmp_path: Path) -> None:
    """Each law that holds after a step is seen broken."""
    world = World(tmp_path, cheating(cheat), MEMORY)
    world.tree.commit(documents.first_map() | {"luns/a": LUN})
    with pytest.raises(ViolationError, match=law):
        world.run_pass()


def test_a_held_pass_that_opens_what_was_drained_breaks_a_law(tmp_path: Path) -> None:
    """It holds for the daemon; another map that was followed before is what it would need."""
    first = documents.first_map()
    luns = {f"luns/l{number}": lun(number) for number in range(10)}
    drained = {f"nodes/{documents.NODE}": {**first[f"nodes/{documents.NODE}"], "state": "drained"}}
    world = World(tmp_path, Fake(FakeLio()), MEMORY)
    world.tree.commit(first | luns | drained)
    world.run_pass()
    before = world.view()
    world.tree.commit(first | {"luns/l1": lun(1)})
    assert world.run_pass() is None
    assert world.view() == before
    world.tree.commit(first | luns)
    world.run_pass()
    with pytest.raises(ViolationError, match="a held pass enabled"):
        check_opened(before, world.view(), set())


def lun(number: int) -> Document:
    """Return a Lun that the first host has under this number."""
    mapped = {"target": documents.TARGETS[0], "lun": number, "initiator": HOST}
    return {
        **LUN,
        "serial": f"{number:02x}" * 16,
        "backing": {"type": "ramdisk", "volatile": True},
        "maps": [mapped],
    }


def test_the_events_that_are_not_needed_are_left_out() -> None:
    """Of a sequence that breaks a law only what it takes is left: here the last pass is enough."""

    def start() -> Fake:
        return cheating(meddle)

    events = [Event("wait", 1), Event("fill", 9), Event("log in", 3)]
    assert "another tool" in run(events, start, MEMORY).broken
    assert shortest(events, start, MEMORY) == []


def test_the_reader_finds_what_a_directory_tree_offers(tmp_path: Path) -> None:
    """The view of a real directory tree has its LUN, read-only, under the number of the host."""
    served(Tree(tmp_path))
    view = read_view(list_configfs(tmp_path))
    assert view["lun", IQN, "1", "host", "5"] == "abc ro"
    assert view["disk", "a"] == "abc /srv/a"
    assert view["tpg", IQN, "1"] == "disabled, closed, authentication 0, sendtargets 1"


def test_the_oracle_knows_an_example() -> None:
    """A Lun of a group is mapped for each member, with CHAP where the initiator has it."""
    lunmap = documents.first_map()
    view = expected(lunmap | {"luns/a": LUN}, documents.NODE)
    assert view["lun", documents.TARGETS[0], "1", documents.HOSTS[1], "3"] == f"{'6' * 32} ro"
    assert view["acl", documents.TARGETS[0], "1", documents.HOSTS[1]] == "chap u1/"
    assert view["disk", "a"] == f"{'6' * 32} /srv/a"
    assert ("portal", documents.TARGETS[1], "1", "10.9.8.1:3260") in view
