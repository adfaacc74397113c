"""The client: every operation on a map, typed.

The modules of an operation are imported when it is called, so that a program that only reads starts fast.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Self, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.clock import rfc3339
from lunmapd.core.base.errors import InvalidInputError, LunmapdError, Problem
from lunmapd.core.base.names import check_iscsi_name, check_name
from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Allowance, Revision, diff_maps, split_path
from lunmapd.store.session.credentials import ANONYMOUS, Credentials
from lunmapd.store.session.session import DEFAULT_CHROOT, Session
from lunmapd.store.tree.history import KEEP, check_released, map_at, read_revision, walk_revisions
from lunmapd.store.tree.read import read_object, read_tree
from lunmapd.store.tree.snapshot import effective_map, map_with_identities
from lunmapd.store.tree.znodes import read_newest, read_revisions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from lunmapd.client.access import Permissions
    from lunmapd.client.file_merge import Prefer
    from lunmapd.client.first_nodes import FirstNodes
    from lunmapd.client.fleet import Fleet, SeeFleet
    from lunmapd.client.floating import FloatingGroupStatus
    from lunmapd.core.base.lunmap import Lunmap, Section
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.core.fleet.backing_differences import BackingDifference
    from lunmapd.core.fleet.only_ways import OnlyWay
    from lunmapd.core.forecast.fleet import Forecast
    from lunmapd.core.history.backup import Title
    from lunmapd.core.history.changes import Change
    from lunmapd.core.history.last_changes import LastChange
    from lunmapd.core.map.file_base import FileBase
    from lunmapd.store.commit.commit_options import CommitOptions, CommitProgress, Precondition, Trial
    from lunmapd.store.commit.kept_rules import KeptRules
    from lunmapd.store.commit.staged import StagedCommit
    from lunmapd.store.tree.snapshot import Meta, Snapshot
    from lunmapd.store.upkeep.forget import Forgotten
    from lunmapd.store.upkeep.trim import Trimmed

_log = logging.getLogger(__name__)

_Made = TypeVar("_Made", Revision, Revision | None)


class Note(Struct, frozen=True):
    """The metadata of a commit: `message` and `author` are shown in the log.

    Without an author it is `user@host`. With `expect` the commit is made only if the map is at that revision.
    The Luns named in `shrink` may get smaller, which cuts off the data at their ends. Those named in
    `rebacking` may change the path or configuration that they have on any node, although they are mapped; the
    data there are not compared. Those named in `reuse_luns` may take LUN numbers that led a host to another
    Lun, whose device the host may still have, and nodes may map them for an hour. The nodes named in
    `reuse_ids` may take port ids and TPG tags that another one had.

    With `first` or `confirm_within` the commit starts a rollout: only the nodes named in `first` follow the
    revision until `continue_rollout`, and a node undoes it unless it is confirmed within `confirm_within`
    seconds. With `confirm_removals` the removals of such a revision are confirmed by the commit.
    """

    message: str = ""
    author: str = ""
    expect: int | None = None
    shrink: tuple[str, ...] = ()
    rebacking: tuple[str, ...] = ()
    reuse_luns: tuple[str, ...] = ()
    reuse_ids: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    confirm_within: int = 0
    confirm_removals: bool = False


NOTE = Note()
_MAX_NAMED = 20


class Proposal(Struct, frozen=True):
    """A map to commit.

    `before` is the current map, `after` the desired one with all serials and port ids, `changes` are those
    between the two. `new_serials` are the serials that were chosen for `after`, `resumes` is the large commit
    that stopped half-way and is to be resumed; None for a commit of its own.
    """

    before: Snapshot
    after: Lunmap
    changes: tuple[Change, ...]
    new_serials: frozenset[str] = frozenset()
    resumes: StagedCommit | None = None


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
        self._kept_rules: KeptRules | None = None
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
        return read_tree(self._session)

    def read_object(self, section: Section, name: str) -> Snapshot:
        """Read one object of the map, which may be missing; the Snapshot can have other objects, or none.

        The cost depends on the map only if there is no such object, while others commit, or after a rollout
        was undone.
        """
        # Any other text could be the path of another znode.
        is_name = None in {check_name(name), check_iscsi_name(name)}
        found = read_object(self._session, f"{section}/{name}") if is_name else None
        return found or self.read()

    def newest(self) -> int:
        """Return the number of the newest revision."""
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
        from lunmapd.client.file_merge import merge_file

        staged = self._read_staged() if resume else None
        before = staged.released if staged else self.read()
        known = staged.all_objects if staged else map_with_identities(before)
        if base is not None:
            target = merge_file(self._session, target, base, before, prefer)
        after = self._fill_in(target, known, before)
        fresh = _new_serials(target, after, known)
        return self._proposal(before, after, replace(self._options(note), new_serials=fresh), staged)

    def propose_edit(self, change: Callable[[Lunmap, FreeNumbers], Lunmap], note: Note = NOTE) -> Proposal:
        """Return what committing the result of `change` on the newest map would change, without committing.

        `change` gets the effective map, as that of `edit`: a commit reverts the out-of-band edits that it may
        not record. Serials and port ids that it leaves out are new. Raises InvalidInputError, and what
        `change` raises.
        """
        before = self.read()
        after = change(effective_map(before), self._free_numbers(before))
        known = map_with_identities(before)
        filled = self._fill_in(after, known, before)
        fresh = _new_serials(after, filled, known)
        return self._proposal(before, filled, replace(self._options(note), new_serials=fresh), None)

    def apply(self, target: Lunmap | Proposal, note: Note = NOTE) -> Revision | None:
        """Make the map equal to `target`, in one commit; return None if it already is.

        Changes that other clients make meanwhile to other objects stay. Raises ConflictError if they changed
        the same objects, and TakenOverError if they resumed or undid the commit that `target` resumes; with a
        rollout RolloutPendingError, RolloutEditedError, RolloutTooLargeError, and InvalidInputError for an
        unknown node.
        """
        from lunmapd.store.commit.commit import commit
        from lunmapd.store.commit.staged import resume_commit

        proposal = target if isinstance(target, Proposal) else self.propose(target, note)
        options = replace(
            self._options(note), new_serials=proposal.new_serials, trial=self._trial(proposal, note)
        )
        if proposal.resumes is not None:
            if options.trial is not None:
                from lunmapd.store.commit.commit_errors import RolloutTooLargeError

                raise RolloutTooLargeError
            return self._tidied(resume_commit(self._session, proposal.resumes, proposal.after, options))
        return self._tidied(commit(self._session, proposal.before, proposal.after, options))

    def forecast(self, proposal: Proposal, note: Note = NOTE) -> Forecast:
        """Return what every node would do if the proposal were committed now, and to whom."""
        from lunmapd.client.fleet import read_nodes
        from lunmapd.core.forecast.fleet import forecast_fleet
        from lunmapd.core.forecast.node import MapChange
        from lunmapd.store.commit.ledger import allowance_after

        fleet = read_nodes(self._session, proposal.before)
        options = self._options(note)
        change = MapChange(
            effective_map(proposal.before),
            proposal.after,
            proposal.before.revision,
            allowance_after(proposal.before, proposal.after, options),
            rfc3339(options.signature.now),
        )
        return forecast_fleet(change, fleet.views(options.signature.now))

    def unused_lun_numbers(self, initiator: str, target: str, count: int = 1) -> tuple[int, ...]:
        """Return the lowest LUN numbers that an initiator never had through a target, at most `count`."""
        from lunmapd.core.map.ledger import unused_lun_numbers
        from lunmapd.store.commit.ledger import read_addresses

        now = self.read()
        ledger = read_addresses(self._session, now, (initiator,))
        maps = (now.lunmap, effective_map(now))
        return tuple(islice(unused_lun_numbers(ledger, maps, target, (initiator,)), count))

    def edit(self, change: Callable[[Lunmap], Lunmap], note: Note = NOTE) -> Revision | None:
        """Commit what `change` makes of the map.

        It runs again on the newer map if another client was faster.
        """
        from lunmapd.store.commit.commit import edit

        made = edit(self._session, self.read(), change, self._options(note))
        return self._tidied(made.revision if made else None)

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

        return self._tidied(undo_commit(self._session, read_staged(self._session), self._options(note)))

    def log(self, path: str | None = None, *, before: int | None = None) -> Iterator[Revision]:
        """Yield the revisions, newest first.

        With `path` (such as `luns/db1`) only those that changed that object, with `before` only those that
        are older than this revision.
        """
        if path is not None:
            split_path(path)
        newest = read_newest(self._session)
        first = newest if before is None else min(newest, before - 1)
        for revision in walk_revisions(self._session, first):
            if path is None or any(change.path == path for change in revision.changes):
                yield revision

    def revision(self, number: int) -> Revision:
        """Return one revision. Raises NoSuchRevisionError, HistoryTrimmedError."""
        return read_revision(self._session, number, read_newest(self._session))

    def map_at(self, revision: int) -> Lunmap:
        """Return the map at `revision`. Raises the errors of `lunmapd.store.tree.history.map_at`."""
        return map_at(self._session, self.read(), revision)

    def diff(self, older: int, newer: int | None = None) -> tuple[Change, ...]:
        """Return the changes from one revision to another, by default to the newest.

        Raises as `map_at` does.
        """
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
        from lunmapd.core.history.migrate import migrate_to_schema_2
        from lunmapd.store.upkeep.migrate import convert_map

        staged = self._read_staged() if resume else None
        now = staged.released if staged else self.read()
        check_released(self._session, revision, now.revision)
        then = convert_map(map_at(self._session, now, revision), migrate_to_schema_2)
        return self._proposal(now, then, self._options(note), staged)

    def propose_revert(self, revision: int, note: Note = NOTE) -> Proposal:
        """Return what undoing one revision would change, without committing; later revisions stay.

        Raises RevertConflictError if later revisions changed the same fields, and the errors of
        `propose_rollback`.
        """
        from lunmapd.client.revert import reverted_map

        now = self.read()
        return self._proposal(now, reverted_map(self._session, now, revision), self._options(note), None)

    def _proposal(
        self, before: Snapshot, after: Lunmap, options: CommitOptions, staged: StagedCommit | None
    ) -> Proposal:
        """Check a whole map against the rules, and against the ledger. Raises InvalidInputError."""
        from lunmapd.store.commit.ledger import find_reuse

        options.check_map(effective_map(before), after)
        if problems := find_reuse(self._session, before, after, options):
            raise InvalidInputError(problems)
        changes = diff_maps(before.lunmap, after)
        return Proposal(before, after, changes, frozenset(options.new_serials), staged)

    def confirm(self, revision: int | None = None, note: Note = NOTE) -> Revision | None:
        """Confirm the removals of the revisions up to this one, by default up to the newest.

        Returns None if they are confirmed already. Nodes that hold large removals then apply them. A revision
        that is tried is kept by that, if it is the one that is confirmed. Raises NoSuchRevisionError,
        RolloutWaitsError, and RolloutUndoneError if the revision was tried and undone; by default, if the
        newest one undoes it.
        """
        from lunmapd.store.commit.acts import confirm
        from lunmapd.store.commit.end_rollout import confirm_rollout

        now = self.read()
        if now.rollout is not None and revision in {None, now.rollout.revision}:
            # Another rollout that begins meanwhile is not confirmed.
            bound = note if note.expect is not None else replace(note, expect=now.rollout.revision)
            return self._tidied(confirm_rollout(self._session, now, self._options(bound)))
        self._check_not_undone(now.revision if revision is None else revision + 1)
        chosen = now.revision if revision is None else revision
        return self._tidied(confirm(self._session, now, chosen, self._options(note)))

    def _check_not_undone(self, undoing: int) -> None:
        """Check that the revision `undoing` undoes none that was tried: a late admin means that one."""
        for record in read_revisions(self._session, (undoing,)):
            if record.undoes:
                from lunmapd.store.commit.commit_errors import RolloutUndoneError

                raise RolloutUndoneError(record.undoes, undoing)

    def continue_rollout(self, note: Note = NOTE) -> Revision | None:
        """Let all nodes follow the revision that is tried.

        Returns the revision that ends the rollout, None if it still waits to be confirmed. Raises
        NoRolloutError and RolloutUndoneError.
        """
        from lunmapd.store.commit.end_rollout import release_rollout

        return self._tidied(release_rollout(self._session, self.read(), self._options(note)))

    def abort_rollout(self, note: Note = NOTE) -> Revision:
        """Undo the revision that is tried, by a new revision. Raises NoRolloutError."""
        from lunmapd.store.commit.end_rollout import abort_rollout

        return self._tidied(abort_rollout(self._session, self.read(), self._options(note)))

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
        from lunmapd.store.commit.acts import override

        now = self.read()
        if problems := _problems_of_override(now.lunmap, disruption, nodes, luns):
            raise InvalidInputError(problems)
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        allowance = Allowance(disruption, rfc3339(until), nodes, luns)
        return self._tidied(override(self._session, now, allowance, self._options(note)))

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

        return self._tidied(accept_rewound(self._session, self.read(), self._options(note)))

    def edited(self) -> tuple[Change, ...]:
        """Return what `repair` would change: the out-of-band edits, from the tree to the revisions."""
        from lunmapd.store.commit.acts import edited_changes

        return edited_changes(self.read())

    def repair(self, note: Note = NOTE) -> Revision | None:
        """Set objects that were edited out of band back to what the revisions say.

        Returns None if there are none. Raises HistoryUnknownError.
        """
        from lunmapd.store.commit.acts import repair

        now = self.read()
        signed = replace(note, message=note.message or f"put back {first_of(sorted(now.edited), _MAX_NAMED)}")
        return self._tidied(repair(self._session, now, self._options(signed)))

    def migrate(self, note: Note = NOTE, *, resume: bool = False) -> Revision | None:
        """Migrate a map of the former schema to the current one, once every node is upgraded.

        Returns None if the map has the current schema. With `resume` it resumes a migration that stopped
        half-way. Raises OldNodesError.
        """
        from lunmapd.core.history.migrate import migrate_to_schema_2
        from lunmapd.store.upkeep.migrate import migrate, resume_migration

        options = self._options(replace(note, message=note.message or "migrate to schema 2"))
        staged = self._read_staged() if resume else None
        if staged is not None:
            return resume_migration(self._session, staged, migrate_to_schema_2, options)
        return migrate(self._session, migrate_to_schema_2, options)

    def backup(self, path: Path) -> Title:
        """Write the map and its history into a file that only its owner can read.

        Returns the title of the file. Raises BackupFileError.
        """
        from lunmapd.client.files import save_backup
        from lunmapd.store.upkeep.backup import take_backup

        backup = take_backup(self._session, self._options(NOTE).signature.time())
        save_backup(path, backup)
        return backup.title

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
        from lunmapd.client.files import load_backup
        from lunmapd.store.commit.leases import keep_leases
        from lunmapd.store.upkeep.restore import restore

        made = restore(self._session, load_backup(path), self._options(note), replaced, closed=closed)
        now = read_tree(self._session)
        keep_leases(self._session, effective_map(now), now.revision)
        return made

    def fleet(self, known: Fleet | None = None) -> Fleet:
        """Read the map, the status of every node, and the revisions that nodes have not applied.

        Of the map and the revisions only what is new since `known` is read.
        """
        from lunmapd.client.fleet import read_with_history

        return read_with_history(self._session, known)

    def wait_applied(self, revision: int, seconds: float, seen: SeeFleet | None = None) -> Fleet:
        """Wait until every live node of the map that may follow `revision` has applied it.

        It waits at most `seconds`, and not for a node that is not in the newest map. `seen` is called
        with each state of the nodes that is read meanwhile. Raises NotAppliedError, and RolloutUndoneError if
        `revision` is tried and was undone.
        """
        from lunmapd.client.fleet import ignore_fleet, wait_applied

        return wait_applied(self._session, revision, seconds, seen or ignore_fleet)

    def first_nodes(self, note: Note) -> FirstNodes:
        """Read the nodes named in `note.first` before a rollout, to watch them for new problems in it.

        Raises InvalidInputError for an unknown node.
        """
        from lunmapd.client.first_nodes import FirstNodes
        from lunmapd.client.fleet import read_nodes

        fleet = read_nodes(self._session)
        _check_known(fleet.snapshot.lunmap, note.first)
        return FirstNodes(self._session, fleet, note.first)

    def only_ways(self, node: str) -> tuple[OnlyWay, ...]:
        """Return the Luns that hosts reach through this node alone, once for each host."""
        from lunmapd.core.fleet.only_ways import find_only_ways

        fleet = self.fleet()
        luns = fleet.lun_paths(datetime.now(UTC))
        return tuple(find_only_ways(fleet.snapshot.lunmap, luns, node))

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

        return list_groups(self._session, effective_map(self.read()))

    def move_floating_group(self, target: str, name: str, node: str = "", seconds: float = 60.0) -> str:
        """Let `node` own a floating portal or takeover group, and return the node.

        This waits at most `seconds` until it does. By default it is the next fit node of the group's list.
        The node keeps the group until another one has to take it. Raises NoSuchGroupError, NotFitError and
        NotMovedError.
        """
        from lunmapd.client.author import default_author
        from lunmapd.client.floating import move_group, wait_moved
        from lunmapd.core.base.lunmap import GroupId
        from lunmapd.core.floating.documents import Wish

        group_id = GroupId(target, name)
        wish = Wish(node, default_author(), rfc3339(datetime.now(UTC)))
        group, chosen = move_group(self._session, effective_map(self.read()), group_id, wish)
        wait_moved(self._session, group_id, group, chosen, seconds)
        return chosen

    def forget(self, node: str) -> Forgotten:
        """Delete the registration and the status of a retired node, so that nothing waits for it.

        Raises NodeInUseError while it is in the map, is live or has a role, and NeverRegisteredError.
        """
        from lunmapd.store.upkeep.forget import forget

        return forget(self._session, self.read(), node)

    def _free_numbers(self, now: Snapshot) -> FreeNumbers:
        from lunmapd.core.edits.maps import FreeNumbers, first_unused
        from lunmapd.core.map.ledger import unused_lun_numbers, unused_tags
        from lunmapd.store.commit.ledger import read_addresses, read_ids

        effective = effective_map(now)

        def lun(lunmap: Lunmap, target: str, initiators: Collection[str], first: Iterable[int]) -> int:
            ledger = read_addresses(self._session, now, initiators)
            maps = (lunmap, now.lunmap, effective)
            return first_unused(unused_lun_numbers(ledger, maps, target, initiators, first), "LUN number")

        def tag(lunmap: Lunmap) -> int:
            used = read_ids(self._session, now)
            return first_unused(unused_tags(used, (lunmap, effective)), "TPG tag")

        return FreeNumbers(lun, tag)

    def _fill_in(self, target: Lunmap, known: Lunmap, released: Snapshot) -> Lunmap:
        from lunmapd.core.map.fill_in import fill_in, needs_port_ids
        from lunmapd.core.map.used_numbers import UNUSED
        from lunmapd.store.commit.ledger import read_ids

        used = UNUSED
        if needs_port_ids(target, known):
            used = read_ids(self._session, released).port_ids
        return fill_in(target, known, _new_serial, used)

    def _read_staged(self) -> StagedCommit | None:
        from lunmapd.store.commit.commit_errors import NothingStagedError
        from lunmapd.store.commit.staged import read_staged

        try:
            return read_staged(self._session)
        except NothingStagedError:
            return None

    def _tidied(self, made: _Made) -> _Made:
        """Trim a long history after a commit; the commit counts as made even if this fails."""
        from lunmapd.store.upkeep.trim import trim_if_long

        if made is not None:
            self._committed = made.revision
            try:
                trim_if_long(self._session, self._keep)
            except LunmapdError as error:
                _log.warning("the history was not trimmed: %s", error)
        return made

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

    def _rules(self, note: Note) -> Precondition:
        from lunmapd.store.commit.commit_options import commit_rules
        from lunmapd.store.commit.evidence import read_evidence
        from lunmapd.store.commit.kept_rules import KeptRules

        self._kept_rules = self._kept_rules or KeptRules()
        evidence = partial(read_evidence, self._session)
        return commit_rules(frozenset(note.shrink), frozenset(note.rebacking), evidence, self._kept_rules)

    def _options(self, note: Note) -> CommitOptions:
        from lunmapd.client.author import default_author
        from lunmapd.store.commit.commit_options import CommitOptions, ignore_progress
        from lunmapd.store.commit.draft import Signature

        author = note.author or default_author()
        signature = Signature(author, note.message, datetime.now(UTC))
        return CommitOptions(
            signature,
            self._rules(note),
            note.expect,
            self._progress or ignore_progress,
            frozenset(note.reuse_luns),
            frozenset(note.reuse_ids),
            frozenset(note.rebacking),
        )

    def _trial(self, proposal: Proposal, note: Note) -> Trial | None:
        """Return how the commit is rolled out, None for a commit that all nodes follow at once."""
        if not (note.first or note.confirm_within):
            return None
        from lunmapd.client.fleet import read_nodes
        from lunmapd.store.commit.commit_options import Trial

        fleet = read_nodes(self._session)
        lunmap, revision = fleet.snapshot.lunmap, fleet.snapshot.revision
        _check_known(lunmap, note.first)
        if problems := _changed_groups(effective_map(proposal.before), proposal.after):
            raise InvalidInputError(problems)
        alive = all(fleet.nodes[name].live for name in lunmap.nodes)
        applied = revision if alive and not fleet.behind(revision) else 0
        return Trial(note.first, note.confirm_within, applied, note.confirm_removals)


def _changed_groups(before: Lunmap, after: Lunmap) -> list[Problem]:
    """Return a problem for each floating portal group that a commit changes: all nodes must know one list.

    The ACL of its lease follows the newest map, and is not undone with it. So it is with a Lun that changes
    its takeover group: by two maps it would be optimized on two nodes.
    """
    from lunmapd.core.base.lunmap import floating_groups, takeover_group

    was, now = (
        {(iqn, name): group for iqn, name, group in floating_groups(lunmap)} for lunmap in (before, after)
    )
    text = "it can't be changed by a revision that is tried: commit it without --first and --confirm-within"
    changed = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    moved = sorted(
        name
        for name in before.luns.keys() & after.luns.keys()
        if takeover_group(before.luns[name]) != takeover_group(after.luns[name])
    )
    return [
        *(Problem(("targets", iqn, "floating", name), text) for iqn, name in changed),
        *(Problem(("luns", name, "preferred"), text) for name in moved),
    ]


def _check_known(lunmap: Lunmap, nodes: tuple[str, ...]) -> None:
    """Check that the map has these nodes. Raises InvalidInputError."""
    if unknown := sorted(set(nodes) - lunmap.nodes.keys()):
        raise InvalidInputError([Problem(("nodes", name), "the map has no such node") for name in unknown])


def _problems_of_override(
    lunmap: Lunmap, disruption: str, nodes: tuple[str, ...], luns: tuple[str, ...]
) -> list[Problem]:
    from lunmapd.core.planning.disruption_limit import DISRUPTION_WORDS
    from lunmapd.core.planning.plan import Disruption

    problems = [
        Problem((section, name), f"the map has no such {kind}")
        for section, kind, named, known in (
            ("nodes", "node", nodes, lunmap.nodes),
            ("luns", "Lun", luns, lunmap.luns),
        )
        for name in sorted(set(named) - known.keys())
    ]
    if disruption not in DISRUPTION_WORDS:
        problems.append(Problem((), f"{disruption!r} is none of {', '.join(DISRUPTION_WORDS)}"))
    elif luns and disruption != Disruption.OTHER_DATA.word:
        problems.append(Problem((), f"only {Disruption.OTHER_DATA.word} can be limited to Luns"))
    return problems


def _new_serials(target: Lunmap, filled: Lunmap, known: Lunmap) -> frozenset[str]:
    """Return the serials that `fill_in` chose for `target`."""
    return frozenset(
        filled.luns[name].serial
        for name, lun in target.luns.items()
        if not lun.serial and name not in known.luns
    )


def _new_serial() -> str:
    return uuid.uuid4().hex
