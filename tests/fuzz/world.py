"""One node: its tree, its LIO, its disk and its hosts, and the passes of lunmapd, which the laws judge."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fuzz import laws
from fuzz.documents import NODE, VAULT
from fuzz.hosts import Hosts, Sessions
from fuzz.laws import OTHER_DATA, Before, ViolationError
from fuzz.oracle import authentications, grants, offered
from fuzz.tree import Tree
from fuzz.view import Listing, View, foreign_part, read_view
from lunmapd.agent.loop.pass_input import Circumstances, NodeUnknownError, pass_input, point_of
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.reconcile.drain import DrainWatch
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult, RemovalHeldError
from lunmapd.agent.state.address_file import AddressFile
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan

if TYPE_CHECKING:
    from lunmapd.store.tree.snapshot import Snapshot

AUDIT, RETRY = 60.0, 5.0
_BLOCKS = ("claims.json.new", "addresses.json.new")
"""Directories that stand where lunmapd makes its new files."""
_MAX_PASSES, _MAX_TEXT = 8, 2000


class Lio(Sessions, Protocol):
    """A LIO with its worker, and the ways in which others change it. Paths are those of its listing."""

    kernel: Any
    killed: type[BaseException]
    """Raised where the daemon is killed in a pass."""

    def listing(self) -> Listing:
        """Return configfs; see fuzz.view."""

    def remove(self, path: str) -> None:
        """Remove a directory, with all that is in it or leads to it."""

    def write(self, path: str, text: str) -> None:
        """Write a file."""

    def make(self, path: str, link: str = "") -> None:
        """Make a directory, and in it a link to the directory `link`."""

    def kill_worker(self, after: int) -> None:
        """Let the worker die in the step after the next `after` ones."""

    def restart(self) -> None:
        """Start a new worker, as a new daemon does."""

    def reboot(self) -> None:
        """Lose all objects but those of the other tool."""

    def file(self, path: str, *, is_there: bool) -> None:
        """Let a backing file or device be there, or not."""

    def refuse(self, choice: int) -> None:
        """Let some steps fail until `heal`."""

    def heal(self) -> None:
        """Let no step fail any more, and all files be there."""


class Clock:
    """A clock that is moved by events, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Watched:
    """The kernel as passes see it, with the laws checked after each step."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.observations = self.partial_observations = 0

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe everything."""
        self.observations += 1
        observed: Observed = self._world.lio.kernel.observe(claims)
        return observed

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Observe these objects."""
        self.partial_observations += 1
        observed: Observed | None = self._world.lio.kernel.observe_some(items)
        return observed

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands to these mapped LUNs."""
        counted: tuple[HostCommands, ...] = self._world.lio.kernel.count_commands(acls)
        return counted

    def apply(self, plan: Plan) -> Iterator[StepOutcome]:
        """Execute the steps; die after some of them."""
        for outcome in self._world.lio.kernel.apply(plan):
            self._world.step_is_done(outcome)
            yield outcome


class World:
    """The node `n1`. `directory` is its disk, `kinds` are the backings that it can have."""

    def __init__(self, directory: Path, lio: Lio, kinds: tuple[str, ...]) -> None:
        """Start with a map without Luns, that no pass has followed."""
        self.lio, self.kinds = lio, kinds
        self.tree, self.hosts, self.clock = Tree(), Hosts(lio), Clock()
        self.policy, self.enablement = Policy(audit=AUDIT), Enablement.ALL
        self.passes = self.steps = 0
        self._directory, self._boots = directory, 0
        self._kernel = Watched(self)
        self._known: Snapshot | None = None
        self._first, self._decided = 0, frozenset[lio_objects.Key]()
        self._offered = set[tuple[str, str]]()
        self._steps_to_live: int | None = None
        self._failed = set[lio_objects.Key]()
        self._before, self._is_drift_unseen = self._look({}), False
        self._foreign = foreign_part(lio.listing())
        self.restart()

    def restart(self) -> None:
        """Start the daemon with the files on its disk.

        With a disk that takes no files it has forgotten what hosts hold, as docs/operations.md says.
        """
        if (self._directory / _BLOCKS[1]).exists():
            self.hosts.forget_all(self.view())
        self._state = PassState(AUDIT, RETRY, self.clock)
        self._decided = frozenset()
        self._seen = SeenFile(self._directory)
        self._keeper = AddressKeeper(AddressFile(self._directory, self._boot), NODE, self.clock)
        self._drain = DrainWatch(now=self.clock)
        self._claims = Claims(self._directory)
        self.lio.restart()

    @property
    def _boot(self) -> str:
        return f"boot {self._boots}"

    def reboot(self) -> None:
        """Start the node with an empty LIO."""
        self._boots += 1
        self.lio.reboot()
        self._foreign = foreign_part(self.lio.listing())
        self.restart()

    def reload(self, policy: Policy) -> None:
        """Use other settings."""
        self.policy = policy
        self._state.reload(AUDIT, RETRY)

    def fill_disk(self, *, is_full: bool) -> None:
        """Let no file of lunmapd be written any more, or again."""
        for name in _BLOCKS:
            block = self._directory / name
            if is_full:
                block.mkdir(exist_ok=True)
            elif block.exists():
                block.rmdir()

    def kill_after(self, steps: int) -> None:
        """Kill the daemon in the next pass, after so many steps."""
        self._steps_to_live = steps

    def view(self) -> View:
        """Return what LIO offers now."""
        return read_view(self.lio.listing())

    def lio_changed(self) -> None:
        """Note that LIO was changed out of band.

        A host's device at an address that was led elsewhere so is not judged.
        """
        self._is_drift_unseen = True
        view, given = self.view(), self._look({})
        for key, text in view.items():
            if key[0] == "lun" and not given.grants(key, text):
                self.hosts.spoil(key)
        self.hosts.end_closed(view)

    def _look(self, view: View) -> Before:
        versions = self.tree.map, self.tree.readable()
        granted, asked = grants(*versions), authentications(*versions)
        # Documents that contradict each other may give one number to two Luns.
        allows = self.tree.allows if self.tree.keeps_rules else OTHER_DATA
        return Before(view, frozenset(granted), allows, frozenset(asked))

    def step_is_done(self, outcome: StepOutcome) -> None:
        """Check the laws after a step, and die if it was the last one."""
        self.steps += 1
        if outcome.failure is not None:
            self._failed.add(lio_objects.key_of(outcome.step.item))
        view = self.view()
        self.hosts.end_closed(view)
        laws.check_step(self._before, outcome, view, self.hosts)
        if self._steps_to_live is not None:
            self._steps_to_live -= 1
            if self._steps_to_live < 0:
                raise self.lio.killed

    def run_pass(self) -> PassResult | None:
        """Make a pass; None if it ended in a condition, or was killed. Raises ViolationError."""
        self.passes += 1
        self._failed = set()
        listing, observations = self.lio.listing(), self._kernel.observations
        partial_observations = self._kernel.partial_observations
        self._before = self._look(read_view(listing))
        is_confirmed = self.tree.confirmed_map(self._first) is not None or bool(self._decided)
        result = self._try_pass(listing)
        self._steps_to_live = None
        if result is not None:
            is_full = self._kernel.observations > observations
            if is_full:
                self._is_drift_unseen = False
                self.hosts.observed()
                laws.check_closed(self.view(), result.failures.keys() | self._failed)
            # A partial pass that is followed by a full one may remove as much again.
            is_one_pass = not is_full or self._kernel.partial_observations == partial_observations
            self._check_result(result, is_guarded=is_one_pass and not is_confirmed)
        self._check_state()
        return result

    def _try_pass(self, before: Listing) -> PassResult | None:
        steps = self.steps
        offers = offered(self.tree.map, NODE) | offered(self.tree.readable(), NODE)
        try:
            result = self._reconcile()
        except RemovalHeldError:
            listing = self.lio.listing()
            laws.check_opened(read_view(before), read_view(listing), self._offered)
            laws.check_unchanged(before, listing, is_held=True)
            laws.check_closed(read_view(listing), self._failed)
        except NodeUnknownError:
            laws.check_unknown(self.tree.readable())
        except LunmapdError:
            if self.steps == steps:
                laws.check_unchanged(before, self.lio.listing())
        except self.lio.killed:
            # It may have followed the map or not.
            self._offered |= offers
            self.restart()
        else:
            # What belongs to documents that can't be read stays as it is.
            self._offered = offers if self.tree.readable() == self.tree.map else self._offered | offers
            return result
        return None

    def _reconcile(self) -> PassResult:
        snapshot = self.tree.snapshot(self._known)
        if snapshot != self._known:
            self._keeper.follow(self._known, snapshot)
        self._known = snapshot
        confirmed = self.tree.confirmed_map(self._first)
        circumstances = Circumstances(confirmed, self._decided, self.enablement)
        given = pass_input(NODE, snapshot, self.policy, VAULT.keyring, circumstances)
        ports = PassPorts(
            self._kernel, self._claims, seen=self._seen, addresses=self._keeper, drain=self._drain
        )
        terms = ValidityKey(point_of(snapshot), NODE, self._boot, VAULT.keyring.ids)
        try:
            result = reconcile(ports, given, self._state, terms)
        except RemovalHeldError:
            self._first = self._first or snapshot.revision
            raise
        self._first, self._decided = snapshot.revision + 1, frozenset(result.decided)
        self._state.baseline.save(self._seen)
        return result

    def _check_result(self, result: PassResult, *, is_guarded: bool) -> None:
        laws.check_expected(result)
        if is_guarded:
            laws.check_removals(self._before.view, self.view(), self.policy.limits)
        if not self._is_drift_unseen and not self.tree.is_edited:
            is_isolated = self.enablement is not Enablement.ALL
            laws.check_reported(result, self._differences(), is_isolated=is_isolated)

    def _check_state(self) -> None:
        listing = self.lio.listing()
        view = read_view(listing)
        laws.check_unreadable(self.tree.found.keys() - self.tree.readable().keys(), self._before.view, view)
        laws.check_foreign(self._foreign, foreign_part(listing))
        self.hosts.end_closed(view)
        self.hosts.scan(view)

    def _differences(self) -> list[laws.Difference]:
        return laws.differences_of(self.tree.map, self.view())

    def settle(self) -> None:
        """Let nothing fail and nothing be held.

        Then the node must converge, and another pass must do nothing.
        """
        self.tree.repair()
        self.fill_disk(is_full=False)
        self.lio.heal()
        self.enablement = Enablement.ALL
        self.reload(Policy(audit=AUDIT))
        self.tree.confirm()
        self.tree.allows = OTHER_DATA
        result = None
        for _ in range(_MAX_PASSES):
            self.clock.now += AUDIT + 1
            result = self.run_pass()
            if result is not None and _is_settled(result):
                break
        else:
            raise ViolationError(f"not converged after {_MAX_PASSES} passes: {_describe(result)}")
        if differences := self._differences():
            raise ViolationError(f"converged, but {differences}")
        self._check_idle()

    def _check_idle(self) -> None:
        before = self.lio.listing()
        self.clock.now += AUDIT + 1
        result = self.run_pass()
        if result is None or result.done or result.left:
            raise ViolationError(f"a second pass did something: {_describe(result)}")
        laws.check_unchanged(before, self.lio.listing())


def _is_settled(result: PassResult) -> bool:
    """Return whether all is as the map says, but for targets of other tools."""
    reasons = {failure.reason for failure in result.failures.values()}
    return not result.left and reasons <= {Reason.FOREIGN_TARGET}


def _describe(result: PassResult | None) -> str:
    if result is None:
        return "the pass ended in a condition"
    done, left = [str(each.step) for each in result.done], [str(each) for each in result.left]
    return f"failures {dict(result.failures)}, done {done}, left {left}"[:_MAX_TEXT]
