"""The nodes of a cluster: their registration, status and lag."""

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.fleet.backing_differences import BackingDifference, find_backing_differences, sources_of
from lunmapd.core.fleet.group_owners import OwnedGroup, find_owned_groups, find_owners
from lunmapd.core.fleet.known_problems import KnownProblems, other_problems
from lunmapd.core.fleet.lag import Lag, RecentHistory, UnappliedRevision, compute_lag
from lunmapd.core.fleet.lun_paths import LunPaths, find_lun_paths
from lunmapd.core.fleet.lun_sizes import lun_sizes
from lunmapd.core.fleet.only_ways import OnlyWay, find_only_ways
from lunmapd.core.fleet.path_state import NodeView, listed_point
from lunmapd.core.fleet.progress import Progress, progress_of
from lunmapd.core.fleet.status import Failing, HistoryPoint
from lunmapd.core.history.rollout import aborted_by, is_undone
from lunmapd.store.commit.commit_errors import RolloutUndoneError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.backings import NodeReports, read_backings
from lunmapd.store.tree.behind import read_missed
from lunmapd.store.tree.liveness import view_of
from lunmapd.store.tree.members import FleetNode, read_fleet
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.store.tree.znodes import read_revisions

_POLL = 0.2  # seconds


class NotAppliedError(LunmapdError):
    """The live nodes `behind` have not applied `revision` in time."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, behind: tuple[str, ...], seconds: float) -> None:
        self.revision, self.behind = revision, behind
        super().__init__(
            f"these nodes have not applied revision {revision} within {seconds:g} seconds: "
            f"{', '.join(behind)}; see 'lunmapctl status'"
        )


class Fleet(Struct, frozen=True):
    """The map, and every node that is in it or has registered, by name.

    `missed` has the revisions that some node has not applied, by number. `backings` has what the nodes report
    about the files and devices that they have opened, by name of the node.
    """

    snapshot: Snapshot
    nodes: Mapping[str, FleetNode]
    missed: Mapping[int, UnappliedRevision] = {}
    backings: Mapping[str, NodeReports] = {}

    def behind(self, revision: int, known: KnownProblems | None = None) -> tuple[str, ...]:
        """Return the names of the live nodes that have not applied this revision of the map.

        With `known`, those that have applied it but for problems that they had before it, and which its
        commit does not concern, are not behind.
        """
        return tuple(
            name
            for name, node in self.nodes.items()
            if node.live
            and self._applied(name) < revision
            and self._other_problems(name, revision, known) is None
        )

    def waits(self, name: str) -> bool:
        """Return whether a node does not follow the revision yet that is tried in a rollout."""
        rollout = self.snapshot.rollout
        if rollout is None or is_undone(rollout, self.snapshot.revision):
            return False
        return rollout.waits(name)

    def progress(
        self, name: str, revision: int, now: datetime, known: KnownProblems | None = None
    ) -> Progress:
        """Return how far a node is with a revision; `now` has a time zone, `known` is as in `behind`."""
        view, applied = view_of(self.nodes[name], now), self._applied(name) >= revision
        others = self._other_problems(name, revision, known) if view.is_current else None
        return progress_of(view, revision, applied=applied, waits=self.waits(name), others=others)

    def listed_revision(self, name: str) -> int:
        """Return what a node has applied but for the failing objects of its status, 0 if none."""
        status = self.nodes[name].status
        at = None if status is None else listed_point(status, self._recent)
        return 0 if at is None else at.revision

    def lag(self, name: str) -> Lag | None:
        """Return how far a node is behind the map; None if it has applied nothing that this history has."""
        return compute_lag(self.nodes[name].status, self._recent)

    def lun_paths(self, now: datetime) -> tuple[LunPaths, ...]:
        """Return the paths to each Lun, in the order of their names; `now` has a time zone."""
        return find_lun_paths(self.snapshot.lunmap, self.views(now), self._recent)

    def owners(self, now: datetime) -> dict[GroupId, str]:
        """Return the owner of each floating group that has one."""
        current = {name: view.status for name, view in self.views(now).items() if view.is_current}
        return find_owners({name: status for name, status in current.items() if status is not None})

    def owned_groups(self, now: datetime) -> tuple[OwnedGroup, ...]:
        """Return all floating portal groups and takeover groups; `now` has a time zone."""
        return find_owned_groups(self.snapshot.lunmap, self.views(now))

    def views(self, now: datetime) -> dict[str, NodeView]:
        """Return each node as other machines see it, by name; `now` has a time zone."""
        return {name: view_of(node, now) for name, node in self.nodes.items()}

    def backing_differences(self, now: datetime) -> tuple[BackingDifference, ...]:
        """Return in what the nodes of each Lun have opened different files or devices.

        Only nodes that live and are not silent count; `now` has a time zone.
        """
        current = {
            name: reports.luns
            for name, reports in self.backings.items()
            if view_of(self.nodes[name], now).is_current
        }
        return find_backing_differences(self.snapshot.lunmap, current)

    def sizes(self, lun: str, now: datetime) -> dict[str, int]:
        """Return the size in bytes that each node of a Lun has opened, by name of the node; 0 if unknown.

        Only nodes that live and are not silent count; `now` has a time zone.
        """
        nodes = sorted(sources_of(self.snapshot.lunmap, lun))
        reports = {name: self.backings.get(name, NodeReports()).luns.get(lun) for name in nodes}
        return {
            name: 0 if report is None else report.size
            for name, report in reports.items()
            if view_of(self.nodes[name], now).is_current
        }

    def lun_sizes(self) -> dict[str, int]:
        """Return the size of each Lun in bytes, by its name, 0 if it is unknown."""
        return lun_sizes(self.snapshot.lunmap, {name: each.luns for name, each in self.backings.items()})

    @property
    def _recent(self) -> RecentHistory:
        snapshot = self.snapshot
        return RecentHistory(snapshot.cluster, snapshot.revision, snapshot.head_digest, self.missed)

    def _other_problems(
        self, name: str, revision: int, known: KnownProblems | None
    ) -> tuple[Failing, ...] | None:
        """Return the failing objects that don't keep a node from a revision, None if anything does."""
        status = self.nodes[name].status
        if known is None or status is None or self.listed_revision(name) < revision:
            return None
        return other_problems(name, status, known, self.snapshot.lunmap)

    def _applied(self, name: str) -> int:
        """Return the revision of this map that a node has applied, 0 for none."""
        behind = self.lag(name)
        return 0 if behind is None else self.snapshot.revision - behind.revisions


SeeFleet = Callable[[Fleet], None]


def ignore_fleet(_: Fleet) -> None:
    """Do nothing; the default of `wait_applied`."""


def _applied_at(node: FleetNode) -> HistoryPoint | None:
    return node.status.applied if node.status else None


def read_nodes(session: Session, known: Snapshot | None = None) -> Fleet:
    """Read the map, or what is new since `known`, and the registration and status of every node."""
    # In this order, so that no node is ahead of the map that it is compared with.
    members, snapshot = read_fleet(session), refresh(session, known)
    names = sorted(snapshot.lunmap.nodes.keys() | members.keys())
    return Fleet(snapshot, {name: members.get(name, FleetNode()) for name in names})


def read_with_history(session: Session, known: Fleet | None = None) -> Fleet:
    """Read the map, the nodes with what they have opened, and the revisions that nodes have not applied.

    Of the map, the reports and the revisions only what is new since `known` is read.
    """
    fleet = _read_since(session, known)
    snapshot = fleet.snapshot
    live, dead = set[int](), set[int]()
    for node in fleet.nodes.values():
        at = _applied_at(node)
        if at is not None and at.cluster == snapshot.cluster and at.revision < snapshot.revision:
            (dead if node.live is None else live).add(at.revision)
    before = {} if known is None else known.missed
    missed = read_missed(session, snapshot.revision, live, dead, before)
    return replace(fleet, missed=missed, backings=_read_backings(session, fleet, known))


def _read_backings(session: Session, fleet: Fleet, known: Fleet | None) -> dict[str, NodeReports]:
    """Read what the nodes report, where their status says that it is new."""
    digests = {name: digest for name, node in fleet.nodes.items() if (digest := _backings_digest(node))}
    same = {
        name: known.backings[name]
        for name, digest in digests.items()
        if known is not None and name in known.backings and _backings_digest(known.nodes[name]) == digest
    }
    return {**read_backings(session, digests.keys() - same.keys()), **same}


def _backings_digest(node: FleetNode) -> str:
    return node.status.backings if node.status is not None else ""


def _read_since(session: Session, known: Fleet | None) -> Fleet:
    return read_nodes(session, None if known is None else known.snapshot)


def watch_nodes(
    session: Session, seconds: float, read: Callable[[Session, Fleet | None], Fleet] = _read_since
) -> Iterator[Fleet]:
    """Read the nodes at once, and again and again for `seconds`.

    `read` gets the nodes that were read before, since which only what is new is read.
    """
    until = time.monotonic() + seconds
    known: Fleet | None = None
    while True:
        known = read(session, known)
        yield known
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(_POLL, left))


def known_problems(session: Session, known: Snapshot | None) -> KnownProblems:
    """Read the state before a commit: see `Client.known_problems`."""
    fleet = read_nodes(session, known)
    return KnownProblems(fleet.snapshot.lunmap, fleet.views(datetime.now(UTC)))


def wait_applied(
    session: Session,
    revision: int,
    seconds: float,
    seen: SeeFleet = ignore_fleet,
    known: KnownProblems | None = None,
) -> Fleet:
    """Wait until every live node of the map that may follow `revision` has applied it, at most `seconds`.

    A live node that is not in the newest map applies nothing, and is not waited for. `seen` is called with
    each state of the nodes that was read, `known` is as in `Fleet.behind`. Raises NotAppliedError, and
    RolloutUndoneError if `revision` is tried and was undone.
    """
    for fleet in watch_nodes(session, seconds):
        if revision < fleet.snapshot.revision:
            check_not_undone(session, revision + 1)
        seen(fleet)
        members = fleet.snapshot.lunmap.nodes
        late = fleet.behind(revision, known)
        behind = tuple(name for name in late if name in members and not fleet.waits(name))
        if not behind:
            return fleet
    raise NotAppliedError(revision, behind, seconds)


def check_not_undone(session: Session, undoing: int) -> None:
    """Check that the revision `undoing` undoes none that was tried. Raises RolloutUndoneError."""
    for record in read_revisions(session, (undoing,)):
        if record.undoes:
            raise RolloutUndoneError(record.undoes, undoing, aborted_by(record))


def wait_backing_differences(
    session: Session, luns: AbstractSet[str], seconds: float
) -> tuple[BackingDifference, ...]:
    """Return in what the nodes of these Luns have opened different devices.

    Wait at most `seconds` until each node reports the path that the map gives a Lun there.
    """
    for fleet in watch_nodes(session, seconds, read_with_history):
        if _reports_paths(fleet, luns):
            break
    return tuple(each for each in fleet.backing_differences(datetime.now(UTC)) if each.lun in luns)


def wait_sizes(session: Session, lun: str, least: int, seconds: float) -> dict[str, int]:
    """Return the size in bytes that each live node of a Lun has opened, by name of the node.

    Wait at most `seconds` until all have the same, `least` at least.
    """
    for fleet in watch_nodes(session, seconds, read_with_history):
        sizes = fleet.sizes(lun, datetime.now(UTC))
        if min(sizes.values(), default=0) >= max(least, *sizes.values(), 0):
            break
    return sizes


def _reports_paths(fleet: Fleet, luns: AbstractSet[str]) -> bool:
    """Return whether each node reports the paths of the map for these Luns."""
    return all(
        (report := fleet.backings.get(node, NodeReports()).luns.get(name)) is not None and report.path == path
        for name in luns
        for node, path in sources_of(fleet.snapshot.lunmap, name).items()
    )


def only_ways(fleet: Fleet, node: str) -> tuple[OnlyWay, ...]:
    """Return the Luns that hosts reach through a node alone: see `Client.only_ways`."""
    luns = fleet.lun_paths(datetime.now(UTC))
    return tuple(find_only_ways(fleet.snapshot.lunmap, luns, node))
