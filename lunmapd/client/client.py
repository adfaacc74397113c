"""The client: every operation on a map, typed.

The modules of an operation are imported when it is called, so that a program that only reads starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from lunmapd.client.note import NOTE, Note, Proposal
from lunmapd.store.session.credentials import ANONYMOUS, Credentials
from lunmapd.store.session.limits import KEEP
from lunmapd.store.session.session import DEFAULT_CHROOT, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from lunmapd.client.access import Permissions
    from lunmapd.client.committer import Committer
    from lunmapd.client.first_nodes import FirstNodes
    from lunmapd.client.fleet import Fleet, SeeFleet
    from lunmapd.client.floating import FloatingGroupStatus
    from lunmapd.client.note import Prefer
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.base.sections import Section
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.core.fleet.backing_differences import BackingDifference
    from lunmapd.core.fleet.known_problems import KnownProblems
    from lunmapd.core.fleet.only_ways import OnlyWay
    from lunmapd.core.forecast.fleet import Forecast
    from lunmapd.core.history.backup import Title
    from lunmapd.core.history.changes import Change, Revision
    from lunmapd.core.history.last_changes import LastChange
    from lunmapd.core.map.file_base import FileBase
    from lunmapd.store.commit.commit_options import CommitProgress
    from lunmapd.store.tree.snapshot import Meta, Snapshot
    from lunmapd.store.upkeep.forget import Forgotten
    from lunmapd.store.upkeep.trim import Trimmed

_MAX_NAMED = 20


class Client:
    """Reads and changes the map of one cluster. Several clients may be used at the same time.

    Create it with `connect` and use it as a context manager; or create it with a started Session, which stays
    open. Every method raises UnreachableError if ZooKeeper does not answer, and NotInitialisedError if there
    is no map; methods that commit also raise the errors of `lunmapd.store.commit.commit.commit`. All errors
    are LunmapdError.
    """

    def __init__(self, session: Session, *, progress: CommitProgress | None = None, keep: int = KEEP) -> None:
        """Use a started session, which stays open.

        `progress` is called with the number of parts of a large commit that are written, and the number of
        all parts. A commit that leaves more than twice `keep` revisions trims them to `keep`.
        """
        self._session = session
        self._progress = progress
        self._keep = keep
        self._owned = False
        self._made: Committer | None = None
        self._committed: int | None = None

    @classmethod
    def connect(
        cls,
        hosts: str,
        chroot: str = DEFAULT_CHROOT,
        *,
        timeout: float = 10.0,
        deadline: float = 10.0,
        credentials: Credentials = ANONYMOUS,
    ) -> Self:
        """Create a client with a session of its own.

        `hosts` is `address:port,...`, the times are in seconds.
        """
        session = Session(hosts, chroot, timeout=timeout, deadline=deadline, credentials=credentials)
        client = cls(session)
        client._owned = True
        return client

    def __enter__(self) -> Self:
        if self._owned:
            self._session.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            self._session.close()

    @property
    def chroot(self) -> str:
        """The path of the tree in ZooKeeper."""
        return self._session.root

    @property
    def committed(self) -> int | None:
        """The last revision that this client has committed, None if it has committed none."""
        return self._committed

    @property
    def _committer(self) -> Committer:
        if self._made is None:
            from lunmapd.client.committer import Committer

            self._made = Committer(self._session, self._progress, self._keep, self._note_committed)
        return self._made

    def _note_committed(self, revision: int) -> None:
        self._committed = revision

    @property
    def permissions(self) -> Permissions:
        """The roles in the tree."""
        from lunmapd.client.access import Permissions

        return Permissions(self._session)

    def initialise(self, *, closed: bool = False) -> str:
        """Make an empty map; return the uuid of the new cluster.

        The tree is open to everybody, or `closed` to all but this client's principals. Raises
        AlreadyInitialisedError; with `closed`, UnknownIdentityError if this client is anonymous.
        """
        from lunmapd.store.upkeep.init import initialise

        return initialise(self._session, closed=closed)

    def read(self) -> Snapshot:
        """Read the whole map."""
        from lunmapd.store.tree.read import read_tree

        return read_tree(self._session)

    def read_object(self, section: Section, name: str) -> Snapshot:
        """Read one object of the map, which may be missing; the Snapshot can have other objects, or none.

        The cost depends on the map only if there is no such object, while others commit, or after a rollout
        was undone.
        """
        from lunmapd.core.base.names import check_iscsi_name, check_name
        from lunmapd.store.tree.read import read_object

        # Any other text could be the path of another znode.
        is_name = None in {check_name(name), check_iscsi_name(name)}
        found = read_object(self._session, f"{section}/{name}") if is_name else None
        return found or self.read()

    def newest(self) -> int:
        """Return the number of the newest revision."""
        from lunmapd.store.tree.znodes import read_newest

        return read_newest(self._session)

    def propose(
        self,
        target: Lunmap,
        note: Note = NOTE,
        *,
        base: FileBase | None = None,
        prefer: Prefer | None = None,
        resume: bool = False,
    ) -> Proposal:
        """Return what committing `target` would change, without committing.

        Serials and port ids that `target` leaves out are taken from the current map, or are new. With `base`,
        the revision that `target` was made from, what other commits changed since stays, field by field. If
        they changed the same fields differently, `prefer` chooses; without it FileConflictError is raised.
        With `resume`, a large commit that stopped half-way is resumed until the map is `target`.
        Raises InvalidInputError, ForeignFileError, and with `base` the errors of `map_at`.
        """
        from lunmapd.client.propose import propose

        return propose(self._committer, target, note, base=base, prefer=prefer, resume=resume)

    def propose_edit(self, change: Callable[[Lunmap, FreeNumbers], Lunmap], note: Note = NOTE) -> Proposal:
        """Return what committing the result of `change` on the newest map would change, without committing.

        `change` gets the effective map, as that of `edit`: a commit reverts the out-of-band edits that it may
        not record. Serials and port ids that it leaves out are new. Raises InvalidInputError, and what
        `change` raises.
        """
        from lunmapd.client.propose import propose_edit

        return propose_edit(self._committer, self.read(), change, note)

    def apply(self, target: Lunmap | Proposal, note: Note = NOTE) -> Revision | None:
        """Make the map equal to `target`, in one commit; return None if it already is.

        Changes that other clients make meanwhile to other objects stay. Raises ConflictError if they changed
        the same objects, and TakenOverError if they resumed or undid the commit that `target` resumes; with a
        rollout RolloutPendingError, RolloutEditedError, RolloutTooLargeError, FirstNodesDeadError, and
        InvalidInputError for an unknown node.
        """
        from lunmapd.client.propose import apply_proposal

        proposal = target if isinstance(target, Proposal) else self.propose(target, note)
        return apply_proposal(self._committer, proposal, note)

    def forecast(self, proposal: Proposal, note: Note = NOTE) -> Forecast:
        """Return what every node would do if the proposal were committed now, and to whom."""
        from lunmapd.client.foresee import foresee_nodes

        return foresee_nodes(self._committer, proposal, note)

    def unused_lun_numbers(self, initiator: str, target: str, count: int = 1) -> tuple[int, ...]:
        """Return the lowest LUN numbers that an initiator never had through a target, at most `count`."""
        from lunmapd.client.propose import next_lun_numbers

        return next_lun_numbers(self._session, initiator, target, count)

    def edit(self, change: Callable[[Lunmap], Lunmap], note: Note = NOTE) -> Revision | None:
        """Commit what `change` makes of the map.

        It runs again on the newer map if another client was faster. Raises NestedCommitError if it commits.
        """
        from lunmapd.store.commit.commit import edit

        committer = self._committer
        made = edit(self._session, self.read(), change, committer.options(note))
        return committer.tidied(made.revision if made else None)

    def undone(self, proposal: Proposal) -> tuple[LastChange, ...]:
        """Return the last changes of those fields to which a proposal gives a value that they had before.

        To remove an object undoes its last change. A file without a base that was made from an older map
        makes such changes. The newest 1,000 revisions are searched.
        """
        from lunmapd.client.file_merge import changes_undone

        return changes_undone(self._session, proposal.changes, proposal.before)

    def resume(self, target: Lunmap, note: Note = NOTE) -> Revision | None:
        """Resume a large commit that stopped half-way, until the map is `target`.

        Without one this is `apply`. Raises TakenOverError if another client resumes or undoes the commit at
        the same time.
        """
        return self.apply(self.propose(target, note, resume=True), note)

    def undo_import(self, note: Note = NOTE) -> Revision:
        """Undo a large commit that stopped half-way, so that other commits can be made.

        Raises NothingStagedError.
        """
        from lunmapd.store.commit.staged import read_staged, undo_commit

        staged, committer = read_staged(self._session), self._committer
        return committer.tidied(undo_commit(self._session, staged, committer.options(note)))

    def log(self, path: str | None = None, *, before: int | None = None) -> Iterator[Revision]:
        """Yield the revisions, newest first.

        With `path` (such as `luns/db1`) only those that changed that object, with `before` only those that
        are older than this revision.
        """
        from lunmapd.core.history.changes import split_path
        from lunmapd.store.tree.history import walk_revisions

        if path is not None:
            split_path(path)
        newest = self.newest()
        first = newest if before is None else min(newest, before - 1)
        for revision in walk_revisions(self._session, first):
            if path is None or any(change.path == path for change in revision.changes):
                yield revision

    def revision(self, number: int) -> Revision:
        """Return one revision. Raises NoSuchRevisionError, HistoryTrimmedError."""
        from lunmapd.store.tree.history import read_revision

        return read_revision(self._session, number, self.newest())

    def map_at(self, revision: int) -> Lunmap:
        """Return the map at `revision`. Raises the errors of `lunmapd.store.tree.history.map_at`."""
        from lunmapd.store.tree.history import map_at

        return map_at(self._session, self.read(), revision)

    def diff(self, older: int, newer: int | None = None) -> tuple[Change, ...]:
        """Return the changes from one revision to another, by default to the newest.

        Raises as `map_at` does.
        """
        from lunmapd.core.history.changes import diff_maps
        from lunmapd.store.tree.history import map_at

        now = self.read()
        after = map_at(self._session, now, now.revision if newer is None else newer)
        return diff_maps(map_at(self._session, now, older), after)

    def rollback(self, revision: int, note: Note = NOTE) -> Revision | None:
        """Commit the map at `revision` as a new revision; return None if that changes nothing.

        Raises the errors of `propose_rollback`.
        """
        return self.apply(self.propose_rollback(revision, note), note)

    def propose_rollback(self, revision: int, note: Note = NOTE, *, resume: bool = False) -> Proposal:
        """Return what committing the map at `revision` would change, without committing.

        With `resume`, a large commit that stopped half-way is resumed until the map is that one. Raises the
        errors of `map_at`, PartOnlyError, and InvalidInputError for a change that the rules forbid, such as
        another serial.
        """
        from lunmapd.client.propose import propose_rollback

        return propose_rollback(self._committer, revision, note, resume=resume)

    def propose_revert(self, revision: int, note: Note = NOTE) -> Proposal:
        """Return what undoing one revision would change, without committing; later revisions stay.

        Raises RevertConflictError if later revisions changed the same fields, and the errors of
        `propose_rollback`.
        """
        from lunmapd.client.propose import propose_revert

        return propose_revert(self._committer, revision, note)

    def confirm(self, revision: int | None = None, note: Note = NOTE) -> Revision | None:
        """Confirm the removals of the revisions up to this one, by default up to the newest.

        Returns None if they are confirmed already. Nodes that hold large removals then apply them. A revision
        that is tried is kept by that, if it is the one that is confirmed. Raises NoSuchRevisionError,
        RolloutWaitsError, and RolloutUndoneError if the revision was tried and undone; by default, if the
        newest one undoes it.
        """
        from lunmapd.client.rollouts import confirm

        return confirm(self._committer, revision, note)

    def continue_rollout(self, note: Note = NOTE) -> Revision | None:
        """Let all nodes follow the revision that is tried.

        Returns the revision that ends the rollout, None if it still waits to be confirmed. Raises
        NoRolloutError and RolloutUndoneError.
        """
        from lunmapd.store.commit.end_rollout import release_rollout

        committer = self._committer
        return committer.tidied(release_rollout(self._session, self.read(), committer.options(note)))

    def abort_rollout(self, note: Note = NOTE) -> Revision:
        """Undo the revision that is tried, by a new revision. Raises NoRolloutError.

        Objects that were edited out of band meanwhile keep their edits: see `edited`.
        """
        from lunmapd.store.commit.end_rollout import abort_rollout

        committer = self._committer
        return committer.tidied(abort_rollout(self._session, self.read(), committer.options(note)))

    def override(
        self,
        disruption: str,
        seconds: float,
        nodes: tuple[str, ...] = (),
        note: Note = NOTE,
        *,
        luns: tuple[str, ...] = (),
    ) -> Revision:
        """Let nodes apply the newest revision up to this class of disruption, for `seconds`.

        It is for all nodes if none is named. With `luns` the class is `other-data`, and only these Luns may
        be mapped under LUN numbers that led to another Lun. An override with `none` ends it, and so does the
        next revision, unless it is limited to Luns. It is refused if the map is newer than `note.expect`.
        Raises InvalidInputError for an unknown class, node or Lun.
        """
        from datetime import UTC, datetime, timedelta

        from lunmapd.client.rollouts import override
        from lunmapd.clock import rfc3339
        from lunmapd.core.history.changes import Allowance

        until = datetime.now(UTC) + timedelta(seconds=seconds)
        allowance = Allowance(disruption, rfc3339(until), nodes, luns)
        return override(self._committer, allowance, note)

    def trim(self, keep: int = KEEP) -> Trimmed:
        """Keep the last `keep` revisions, and the whole map at the oldest of them.

        Raises the errors of `map_at`.
        """
        from lunmapd.store.upkeep.trim import trim

        return trim(self._session, keep)

    def confirm_rewound(self, note: Note = NOTE) -> Revision | None:
        """Let nodes follow this tree although they knew a newer one.

        ZooKeeper's own data may have been put back.
        """
        from lunmapd.store.commit.acts import accept_rewound

        committer = self._committer
        return committer.tidied(accept_rewound(self._session, self.read(), committer.options(note)))

    def edited(self) -> tuple[Change, ...]:
        """Return what `repair` would change: the out-of-band edits, from the tree to the revisions."""
        from lunmapd.store.commit.acts import edited_changes

        return edited_changes(self.read())

    def propose_repair(self) -> Proposal:
        """Return what `repair` would change, without committing. Raises HistoryUnknownError."""
        from lunmapd.client.propose import propose_repair

        return propose_repair(self._session)

    def repair(self, note: Note = NOTE) -> Revision | None:
        """Set objects that were edited out of band back to what the revisions say.

        Returns None if there are none. Raises HistoryUnknownError.
        """
        from lunmapd.core.base.text import first_of
        from lunmapd.store.commit.acts import repair

        now, committer = self.read(), self._committer
        signed = replace(note, message=note.message or f"put back {first_of(sorted(now.edited), _MAX_NAMED)}")
        return committer.tidied(repair(self._session, now, committer.options(signed)))

    def migrate(self, note: Note = NOTE, *, resume: bool = False) -> Revision | None:
        """Migrate a map of the former schema to the current one, once every node is upgraded.

        Returns None if the map has the current schema. With `resume` it resumes a migration that stopped
        half-way. Raises OldNodesError.
        """
        from lunmapd.client.upkeep import migrate

        return migrate(self._committer, note, resume=resume)

    def backup(self, path: Path) -> Title:
        """Write the map and its history into a file that only its owner can read.

        Returns the title of the file. Raises BackupFileError.
        """
        from lunmapd.client.upkeep import backup_tree

        return backup_tree(self._session, path)

    def restore(
        self, path: Path, note: Note = NOTE, *, replaced: str | None = None, closed: bool = False
    ) -> Meta:
        """Make the map of a backup in an empty chroot, or in place of the tree of the cluster `replaced`.

        The roles of a replaced tree stay; a tree in an empty chroot is open, or `closed` to all but this
        client's principals. Nodes that know the cluster keep their effective map until `confirm` is called.
        Raises BackupFileError, BackupError, BadBackupError, TreeExistsError, RestoreBusyError, and
        InvalidInputError if LUN numbers, port ids or TPG tags would lead to something else than in the tree
        that is replaced; `note` can name them.
        """
        from lunmapd.client.upkeep import restore

        return restore(self._committer, path, note, replaced, closed=closed)

    def fleet(self, known: Fleet | None = None) -> Fleet:
        """Read the map, the status of every node, and the revisions that nodes have not applied.

        Of the map and the revisions only what is new since `known` is read.
        """
        from lunmapd.client.fleet import read_with_history

        return read_with_history(self._session, known)

    def known_problems(self, known: Snapshot | None = None) -> KnownProblems:
        """Read what is wrong with the nodes before a commit, for `wait_applied` after it.

        Of the map only what is new since `known` is read.
        """
        from lunmapd.client.fleet import known_problems

        return known_problems(self._session, known)

    def wait_applied(
        self,
        revision: int,
        seconds: float,
        seen: SeeFleet | None = None,
        known: KnownProblems | None = None,
    ) -> Fleet:
        """Wait until every live node of the map that may follow `revision` has applied it.

        It waits at most `seconds`, and not for a node that is not in the newest map. `seen` is called
        with each state of the nodes that is read meanwhile. With `known`, and in its `paths` what the commit
        changed, a node may have failing objects that it had before, unless they concern the commit. Raises
        NotAppliedError, and RolloutUndoneError if `revision` is tried and was undone.
        """
        from lunmapd.client.fleet import ignore_fleet, wait_applied

        return wait_applied(self._session, revision, seconds, seen or ignore_fleet, known)

    def first_nodes(self, note: Note) -> FirstNodes:
        """Read the nodes named in `note.first` before a rollout, to watch them for new problems in it.

        Raises InvalidInputError for an unknown node.
        """
        from lunmapd.client.first_nodes import read_first_nodes

        return read_first_nodes(self._session, note.first)

    def only_ways(self, node: str) -> tuple[OnlyWay, ...]:
        """Return the Luns that hosts reach through this node alone, once for each host."""
        from lunmapd.client.fleet import only_ways

        return only_ways(self.fleet(), node)

    def wait_drained(self, node: str, seconds: float, report: Callable[[str], None] = lambda _: None) -> None:
        """Wait until a node that the newest map drains offers nothing and has no session.

        It takes at most `seconds`; `report` is called with a sentence for each step. Raises NotDrainedError.
        """
        from lunmapd.client.drain import wait_drained

        wait_drained(self._session, node, self.newest(), seconds, report)

    def wait_removed(self, node: str, revision: int, seconds: float, *, confirmed: bool = False) -> bool:
        """Wait until a node has applied a revision, at most `seconds`. Raises NotDrainedError.

        Return False if it holds the removals of the revision, which are not `confirmed`.
        """
        from lunmapd.client.drain import wait_removed

        return wait_removed(self._session, node, revision, seconds, confirmed=confirmed)

    def floating_groups(self) -> tuple[FloatingGroupStatus, ...]:
        """Read the floating portal and takeover groups, in the order of their targets and names."""
        from lunmapd.client.floating import list_groups
        from lunmapd.store.tree.snapshot import effective_map

        return list_groups(self._session, effective_map(self.read()))

    def move_floating_group(self, target: str, name: str, node: str = "", seconds: float = 60.0) -> str:
        """Let `node` own a floating portal or takeover group, and return the node.

        This waits at most `seconds` until it does. By default it is the next fit node of the group's list.
        The node keeps the group until another one has to take it. Raises NoSuchGroupError, NotFitError and
        NotMovedError.
        """
        from lunmapd.client.floating import move_floating_group

        return move_floating_group(self._session, target, name, node, seconds)

    def forget(self, node: str) -> Forgotten:
        """Delete the registration and the status of a retired node, so that nothing waits for it.

        Raises NodeInUseError while it is in the map, is live or has a role, and NeverRegisteredError.
        """
        from lunmapd.store.upkeep.forget import forget

        return forget(self._session, self.read(), node)

    def backing_differences(
        self, luns: AbstractSet[str], patience: float = 0.0
    ) -> tuple[BackingDifference, ...]:
        """Return in what the nodes of these Luns report to have opened different devices.

        Wait at most `patience` seconds until each node reports the path that the map gives a Lun there.
        """
        from lunmapd.client.fleet import wait_backing_differences

        return wait_backing_differences(self._session, luns, patience)

    def wait_sizes(self, lun: str, least: int = 0, patience: float = 0.0) -> dict[str, int]:
        """Return the size in bytes that each live node of a Lun has opened, by name of the node.

        It is 0 if the node reports none. Wait at most `patience` seconds until all have the same size, at
        least `least`.
        """
        from lunmapd.client.fleet import wait_sizes

        return wait_sizes(self._session, lun, least, patience)
