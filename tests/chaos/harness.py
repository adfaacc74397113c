"""The harness of the chaos tests: one tree on one ensemble, with writers, followers and faults."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Self

from chaos.edits import NODES, first_map
from chaos.follower import Follower
from chaos.history import History, Outcome, Tree, shown
from chaos.importer import Importer
from chaos.recorder import Recorder, now
from chaos.tree import read_head, read_tree
from chaos.writer import Writer
from lab import Ensemble
from lab.wait import PATIENCE, wait_until
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.init import initialise

_DEADLINE = 5.0


class Harness:
    """A new tree at `root` with followers n1, n2, n3; writers come and go. Use it as a context manager."""

    def __init__(
        self, ensemble: Ensemble, root: str, seed: str, directory: Path, session_timeout: float = 4.0
    ) -> None:
        self.ensemble = ensemble
        self.root = root
        self.seed = seed
        self._session_timeout = session_timeout
        self.recorder = Recorder()
        self.followers = [Follower(name, directory, self.recorder) for name in NODES]
        self.writers: list[Writer] = []
        self._threads: list[threading.Thread] = []
        self._stack = ExitStack()
        self._names = count(1)

    def __enter__(self) -> Self:
        """Make the tree with the first map, and start the followers."""
        admin = self._writer("admin")
        initialise(admin.session)
        admin.make(lambda _: first_map())
        for follower in self.followers:
            follower.start(self._session())
            self._stack.callback(follower.stop)
        self.admin = admin
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_writers()
        self._stack.close()

    @property
    def committed(self) -> int:
        """The number of commits that were acknowledged."""
        return sum(attempt.outcome is Outcome.COMMITTED for attempt in self.recorder.attempts)

    def start_writers(
        self, number: int, another: Callable[[], bool] = lambda: True, think: float = 0.03
    ) -> None:
        """Let writers commit random edits while `another()` is true.

        A writer waits up to `think` seconds between two edits.
        """
        for _ in range(number):
            writer = self._writer(f"w{next(self._names)}", think)
            thread = threading.Thread(target=writer.run, args=(another,), name=writer.name, daemon=True)
            self.writers.append(writer)
            self._threads.append(thread)
            thread.start()

    def stop_writers(self) -> None:
        """Let each writer end its attempt, and end its session."""
        for writer in self.writers:
            writer.stop()
        self.join_writers()

    def join_writers(self) -> None:
        """Wait until no writer has anything more to do."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"writer {thread.name} doesn't end"
        for writer in self.writers:
            writer.session.close()
        self._threads, self.writers = [], []

    @property
    def writing(self) -> bool:
        """Whether any writer is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def importer(self) -> Importer:
        """Return a client that imports."""
        return Importer(self._open_session(), self.recorder)

    def restart(self, follower: Follower) -> None:
        """End a follower's daemon and start it anew."""
        follower.stop()
        follower.start(self._session())

    def await_commits(self, number: int) -> None:
        """Return when so many more commits were acknowledged."""
        wanted = self.committed + number
        wait_until(f"{number} more commits", lambda: self.committed >= wanted)

    def settle(self) -> None:
        """Return when every follower has the revision of head. Raises WaitTimeout."""
        head = read_head(self.ensemble.hosts, self.root)
        for follower in self.followers:
            wait_until(f"{follower.name} at revision {head.revision}", partial(follower.has, head.revision))

    def tree(self) -> Tree:
        """Return the content of ZooKeeper; no writer may be running."""
        return read_tree(self.ensemble.hosts, self.root)

    def history(self, tree: Tree | None = None) -> History:
        """Return the recorded history; `tree` is the tree before it was wiped."""
        tree = tree or self.tree()
        kernels = {
            follower.name: tuple(sorted(map(shown, follower.kernel.objects.values())))
            for follower in self.followers
        }
        return self.recorder.history(tree, kernels)

    def wipe(self) -> Tree:
        """Let every server lose all its data; return the tree before. No writer may be running."""
        tree = self.tree()
        self.recorder.wiped_at = now()
        self.ensemble.renew()
        return tree

    def all_fail_with(self, error: type[StoreError]) -> bool:
        """Return whether this error keeps every follower from reading the map."""
        return all(isinstance(follower.cycle.store_error, error) for follower in self.followers)

    def sessions(self) -> list[Session]:
        """Return every session of a writer or follower."""
        followers = [follower.session for follower in self.followers if follower.session is not None]
        return [*followers, *(writer.session for writer in self.writers)]

    def _session(self) -> Session:
        return Session(self.ensemble.hosts, self.root, timeout=self._session_timeout, deadline=_DEADLINE)

    def _open_session(self) -> Session:
        session = self._session()
        session.start()
        self._stack.callback(session.close)
        return session

    def _writer(self, name: str, think: float = 0.0) -> Writer:
        return Writer(name, self._open_session(), f"{self.seed}/{name}", self.recorder, think)
