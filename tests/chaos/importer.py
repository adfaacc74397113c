"""Imports larger than a transaction: each is abandoned in the middle, then resumed or undone."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

from msgspec.structs import replace

from chaos.edits import NODES, SHARED, with_lun
from chaos.history import Attempt, Outcome, effect_of
from chaos.recorder import Recorder, now
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, PortalGroup, Target
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.store.commit.commit import edit
from lunmapd.store.commit.commit_errors import BusyError, NothingStagedError, StagedError
from lunmapd.store.commit.commit_options import CommitOptions, CommitProgress, commit_rules, ignore_progress
from lunmapd.store.commit.draft import Signature
from lunmapd.store.commit.staged import StagedCommit, read_staged, resume_commit, undo_commit
from lunmapd.store.session.errors import StoreError, UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree

_LUNS = 60
_TRIES = 20
_PORT = 900  # above those of other targets
_TARGET, _HOST = "iqn.2026-01.org.example:import", "iqn.2026-01.org.example:importer"
_MIB = 1 << 20


class _KilledError(Exception):
    """Raised in place of the end of the importer's process."""


class Importer:
    """Begins imports and ends those that were left behind; each step is recorded as an attempt."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder
        self._steps = count(1)

    def leave(self, parts: int) -> None:
        """Begin an import, and die when so many parts are made."""

        def die(done: int, _total: int) -> None:
            if done == parts:
                raise _KilledError

        began, terms = now(), self._terms(die)
        for _ in range(_TRIES):
            try:
                edit(self._session, read_tree(self._session), imported, terms)
            except _KilledError:
                break
            except (UnreachableError, BusyError):
                continue
        else:
            raise AssertionError(f"no part of the import was made in {_TRIES} tries")
        self._record(terms, began, Outcome.UNKNOWN)

    def resume(self) -> None:
        """Resume the abandoned import."""
        self._end(
            lambda halfway, terms: resume_commit(
                self._session, halfway, imported(halfway.released.lunmap), terms
            ),
            imported,
        )

    def undo(self) -> None:
        """Undo the abandoned import."""
        self._end(lambda halfway, terms: undo_commit(self._session, halfway, terms), lambda lunmap: lunmap)

    def _end(
        self, way: Callable[[StagedCommit, CommitOptions], Revision], meant: Callable[[Lunmap], Lunmap]
    ) -> None:
        """Resume or undo (`way`) until nothing staged is left.

        An attempt that failed may have written some of the parts, or all.
        """
        for _ in range(_TRIES):
            began, terms = now(), self._terms()
            try:
                halfway = read_staged(self._session)
                made = way(halfway, terms)
            except NothingStagedError:
                return
            except StagedError:
                raise
            except StoreError:
                self._record(terms, began, Outcome.UNKNOWN)
                continue
            effect = effect_of(diff_maps(halfway.tip.lunmap, meant(halfway.released.lunmap)))
            self._record(terms, began, Outcome.COMMITTED, effect, made.revision)
        raise AssertionError(f"the import has not ended in {_TRIES} tries")

    def _terms(self, progress: CommitProgress = ignore_progress) -> CommitOptions:
        token = f"importer/{next(self._steps)}/1"
        return CommitOptions(
            Signature("importer", token, datetime.now(UTC)), commit_rules(), progress=progress
        )

    def _record(
        self,
        terms: CommitOptions,
        began: float,
        outcome: Outcome,
        effect: dict[str, str | None] | None = None,
        revision: int = 0,
    ) -> None:
        token = terms.signature.message
        self._recorder.attempts.append(Attempt(token, began, now(), outcome, effect or {}, revision))


def imported(lunmap: Lunmap) -> Lunmap:
    """Return the map with all that the import brings: Luns, and a target and an initiator of their own."""
    target = Target({node: PortalGroup(_PORT + tag) for tag, node in enumerate(NODES)})
    for number in range(_LUNS):
        serial = f"{number:08x}{1:024x}"
        lun = Lun(
            Block(f"/dev/import/{number}"), serial, _MIB, shared=SHARED, maps=(Map(_TARGET, number, _HOST),)
        )
        lunmap = with_lun(lunmap, f"import-{number}", lun)
    return replace(
        lunmap,
        targets={**lunmap.targets, _TARGET: target},
        initiators={**lunmap.initiators, _HOST: Initiator()},
    )
