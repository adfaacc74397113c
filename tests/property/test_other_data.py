"""No host reaches another Lun through a device that it has: a law for any sequence of events on a node."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import CrashedError, FakeLio
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.state.address_file import ADDRESS_FILE, AddressFile
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import ValidityKey
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.former import address_of
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.other_data import EMPTY_SECONDS, AddressRules, Reuse
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from lunmapd.store.tree.snapshot import Snapshot

T = "iqn.2026-01.org.example:t"
HOSTS = ("iqn.2026-01.org.example:g", "iqn.2026-01.org.example:h")
SERIALS = {name: name * 32 for name in "abc"}
Numbers = Mapping[tuple[str, str], int]
"""The numbers of Luns: host and serial to number."""


def lunmap(numbers: Numbers) -> Lunmap:
    """Return a map that shows each Lun under its numbers."""
    luns = {
        name: Lun(
            Block(f"/dev/{name}"),
            serial,
            maps=tuple(
                Map(T, number, host) for (host, lun), number in sorted(numbers.items()) if lun == name
            ),
        )
        for name, serial in SERIALS.items()
    }
    return Lunmap(
        luns,
        {T: Target({"n1": PortalGroup(1)})},
        {host: Initiator() for host in HOSTS},
        nodes={"n1": Node(1, ("10.0.0.1:3260",))},
    )


@st.composite
def numbers(draw: st.DrawFn) -> Numbers:
    """Draw at most two Luns for each host, with numbers 5 and 6."""
    chosen: dict[tuple[str, str], int] = {}
    for host in HOSTS:
        luns = draw(st.permutations(sorted(SERIALS)))
        for number in draw(st.sampled_from(((5,), (5, 6), (5,), ()))):
            chosen[host, luns[number - 5]] = number
    return chosen


class World:
    """A node with its disk, and two hosts with the devices that their sessions have made."""

    def __init__(self, directory: Path) -> None:
        self.lio, self.clock = FakeLio(), Clock(1000.0)
        self.devices: dict[tuple[str, str, int], str] = {}
        self._observed: set[tuple[str, str]] = set()
        self.boots, self.held = 0, False
        self._directory = directory
        self._maps = [Snapshot("c", 0, "d", "d", 0, lunmap({}))]
        self._stored: Snapshot | None = None
        self.restart()

    def restart(self) -> None:
        """Start the daemon with what is on the disk."""
        self._state = PassState(3600.0, 60.0, self.clock)
        self._known = self._stored
        file = AddressFile(self._directory, f"boot {self.boots}")
        self._keeper = AddressKeeper(file, "n1", self.clock)

    def reboot(self) -> None:
        """Start the node with an empty LIO; sessions are lost."""
        self.boots += 1
        fresh = FakeLio()
        self.lio.objects, self.lio.sessions, self.lio._counters = fresh.objects, (), {}
        self.restart()

    def commit(self, lunmap: Lunmap) -> None:
        """Make a revision."""
        self._maps.append(replace(self._maps[-1], revision=len(self._maps), lunmap=lunmap))

    def lose(self) -> None:
        """Lose the file of the node's memory."""
        (self._directory / ADDRESS_FILE).unlink(missing_ok=True)

    def run_pass(self, reuse: Reuse, *, stores: bool = True) -> None:
        """Follow the newest map.

        Without `stores`, the daemon is killed before the local snapshot is written.
        """
        newest = self._maps[-1]
        self._keeper.follow(self._known, newest)
        if not stores:
            self.restart()
            return
        self._known = self._stored = newest
        before, first, looks = dict(self.lio.objects), len(self.lio.done), self.lio.looks
        point = HistoryPoint("c", newest.revision, "d")
        rules = AddressRules(reuse=reuse)
        asked = PassInput(
            "n1",
            newest.revision,
            newest.lunmap,
            {},
            Vault("c"),
            limits=RemovalLimits(share=1.0),
            addresses=rules,
        )
        edges = PassPorts(self.lio, Claims(self._directory), addresses=self._keeper)
        try:
            result = reconcile(edges, asked, self._state, ValidityKey(point, "n1", "boot", ()))
            self.held |= any(failure.reason == Reason.HELD for failure in result.failures.values())
        except CrashedError:
            self.restart()
        if self.lio.looks > looks:
            self._observed |= {(each.initiator, each.isid) for each in self.lio.sessions}
        self._check(before, first, reuse)
        self._scan()

    def _check(self, before: lio_objects.Objects, first: int, reuse: Reuse) -> None:
        """Check the steps of a pass against the devices of all hosts."""
        there = {
            address_of(item): _serial(item)
            for item in before.values()
            if isinstance(item, lio_objects.MappedLun)
        }
        for step in self.lio.done[first:]:
            if not isinstance(step.item, lio_objects.MappedLun) or step.action is not Action.CREATE:
                continue
            address, serial = address_of(step.item), _serial(step.item)
            assert there.get(address, serial) == serial, "deleted and created in one pass"
            if reuse.allows(step.item.storage_object):
                # An admin knows that the host has no device there.
                self._forget(address)
            assert self._held(address) <= {serial}, "other data under a device"

    def _held(self, address: LunAddress) -> set[str]:
        return {
            serial
            for (host, _, number), serial in self.devices.items()
            if (host, number) == (address.initiator, address.lun)
        }

    def _forget(self, address: LunAddress) -> None:
        there = address.initiator, address.lun
        self.devices = {key: serial for key, serial in self.devices.items() if (key[0], key[2]) != there}

    def _scan(self) -> None:
        """Let each session find the LUNs that are there: a device stays for the Lun that it was made for."""
        for session in self.lio.sessions:
            for item in self.lio.objects.values():
                if isinstance(item, lio_objects.MappedLun) and item.initiator == session.initiator:
                    self.devices.setdefault((item.initiator, session.isid, item.lun), _serial(item))

    def log_in(self, host: str, isid: str) -> None:
        """Log in, if the node has the host's ACL; a session that was lost keeps its devices."""
        if ("acl", T, 1, host) in self.lio.objects:
            self.lio.log_in(T, host, isid)
            self._scan()

    def log_out(self, host: str, isid: str) -> None:
        """Log out, which removes the session's devices. A session that is lost can't be logged out.

        Sessions of the host that were lost before any observation count as logged out with it.
        """
        live = {(each.initiator, each.isid) for each in self.lio.sessions}
        if (host, isid) in live:
            self.lio.log_out(T, host, isid)
            kept = (live | self._observed) - {(host, isid)}
            self.devices = {
                key: serial for key, serial in self.devices.items() if key[0] != host or key[:2] in kept
            }

    def drop_where_no_acl_is(self) -> None:
        """Lose the sessions that the kernel ends with their ACL."""
        for each in self.lio.sessions:
            if ("acl", T, 1, each.initiator) not in self.lio.objects:
                self.lio.drop(T, each.initiator, each.isid)


def _serial(item: lio_objects.MappedLun) -> str:
    return SERIALS[item.storage_object]


CHANGES = ("commit", "crash", "kill")
OTHERS = ("pass", "pass", "in", "in", "in", "out", "drop", "restart", "reboot", "wait")
REUSES = (Reuse(), Reuse(), Reuse(all=True), Reuse(frozenset("a")))
# One change, and what happens until the next one.
STEP = st.tuples(
    st.sampled_from(CHANGES),
    numbers(),
    st.integers(0, 6),
    st.sampled_from(REUSES),
    st.lists(
        st.tuples(
            st.sampled_from(OTHERS), st.sampled_from(HOSTS), st.sampled_from("12"), st.sampled_from(REUSES)
        ),
        max_size=6,
    ),
)


def change(world: World, name: str, after: int, reuse: Reuse) -> None:
    """Follow the newest map; or be killed after some steps, or before the local snapshot is written."""
    world.lio.crash_after = after if name == "crash" else None
    world.run_pass(reuse, stores=name != "kill")
    world.lio.crash_after = None


def happen(world: World, name: str, host: str, isid: str, reuse: Reuse) -> None:
    """Let something happen between two changes of the map."""
    match name:
        case "pass":
            world.run_pass(reuse)
        case "in":
            world.log_in(host, isid)
        case "out":
            world.log_out(host, isid)
        case "drop":
            world.lio.drop(T, host, isid)
        case "restart":
            world.restart()
        case "reboot":
            world.reboot()
        case _:
            world.clock.now += EMPTY_SECONDS
            world.run_pass(reuse)
    world.drop_where_no_acl_is()


@given(steps=st.lists(STEP, min_size=3, max_size=10))
def test_no_device_ever_leads_to_another_lun(
    steps: list[tuple[str, Numbers, int, Reuse, list[tuple[str, str, str, Reuse]]]],
) -> None:
    """Whatever happens to maps, sessions and the daemon, unless an override allows it."""
    with TemporaryDirectory() as place:
        world = World(Path(place))
        world.run_pass(Reuse())
        for name, asked, after, reuse, others in steps:
            world.commit(lunmap(asked))
            change(world, name, after, reuse)
            for each in others:
                happen(world, *each)
        event(f"held: {world.held}, devices: {bool(world.devices)}")
