"""Writers: each commits random edits in its own session, and records the results."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from random import Random

from chaos.edits import EVERY_LUN, edit
from chaos.history import Attempt, Outcome, effect_of
from chaos.recorder import Recorder, now
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import diff_maps
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_errors import ConflictError, EditedMeanwhileError, OutcomeUnknownError
from lunmapd.store.commit.commit_options import CommitOptions, commit_rules
from lunmapd.store.commit.draft import Signature
from lunmapd.store.session.errors import StoreError, UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.snapshot import Snapshot

Wish = Callable[[Lunmap], Lunmap]
_PAUSE = 0.02


class Writer:
    """Commits edits one after the other, each until it is committed or its outcome is unknown.

    Between two edits it thinks, for at most `think` seconds.
    """

    def __init__(
        self, name: str, session: Session, seed: str, recorder: Recorder, think: float = 0.0
    ) -> None:
        self.name = name
        self.session = session
        self._dice = Random(seed)
        self._recorder = recorder
        self._think = think
        self._known: Snapshot | None = None
        self._edits = count(1)
        self._stopping = threading.Event()

    def run(self, another: Callable[[], bool]) -> None:
        """Commit edits while `another()` is true, until `stop`."""
        while not self._stopping.is_set() and another():
            seed = self._dice.getrandbits(64)
            self.make(partial(edit, seed=seed))
            self._stopping.wait(self._dice.uniform(0, self._think))

    def stop(self) -> None:
        """Let `run` return after the attempt under way."""
        self._stopping.set()

    def forget(self) -> None:
        """Read everything before the next attempt, with the out-of-band edits."""
        self._known = None

    def make(self, wish: Wish) -> None:
        """Commit what `wish` makes of the newest map."""
        number = next(self._edits)
        for attempt in count(1):
            outcome = self._try(wish, f"{self.name}/{number}/{attempt}")
            if outcome in {Outcome.COMMITTED, Outcome.UNKNOWN} or self._stopping.is_set():
                return
            self._stopping.wait(self._dice.uniform(0, _PAUSE * min(attempt, 10)))

    def _try(self, wish: Wish, token: str) -> Outcome:
        began = now()
        effect: dict[str, str | None] = {}
        revision, error = 0, ""
        try:
            before = self._read()
            after = wish(before.lunmap)
            effect = effect_of(diff_maps(before.lunmap, after))
            signature = Signature(self.name, token, datetime.now(UTC))
            made = commit(self.session, before, after, _options(signature, before.lunmap, after))
        except StoreError as raised:
            outcome, error = _outcome(raised), str(raised)
            self._known = None if isinstance(raised, EditedMeanwhileError) else self._known
        else:
            if made is None:
                # If others did the same meanwhile, it's another edit on the newer map.
                return Outcome.CONFLICT if effect else Outcome.COMMITTED
            outcome, revision = Outcome.COMMITTED, made.revision
        self._recorder.attempts.append(Attempt(token, began, now(), outcome, effect, revision, error))
        return outcome

    def _read(self) -> Snapshot:
        self._known = read_tree(self.session) if self._known is None else refresh(self.session, self._known)
        return self._known


def _options(signature: Signature, before: Lunmap, after: Lunmap) -> CommitOptions:
    """Return options under which random edits may use every LUN number again: there are no hosts."""
    known = {lun.serial for lun in before.luns.values()}
    fresh = frozenset(lun.serial for lun in after.luns.values()) - known
    return CommitOptions(signature, commit_rules(), reuse_luns=EVERY_LUN, new_serials=fresh)


def _outcome(error: StoreError) -> Outcome:
    match error:
        case OutcomeUnknownError():
            return Outcome.UNKNOWN
        case UnreachableError():
            return Outcome.UNREACHABLE
        case ConflictError() | EditedMeanwhileError():
            return Outcome.CONFLICT
        case _:
            return Outcome.REFUSED
