"""Keeps what happens, from many threads, until all is over."""

import time

from chaos.history import Attempt, FaultRecord, FollowerState, History, Overwrite, Tree


class Recorder:
    """Appending to a list is atomic in Python, so each record is one append and nothing is locked."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.follower_states: list[FollowerState] = []
        self.overwrites: list[Overwrite] = []
        self.faults: list[FaultRecord] = []
        self.wiped_at: float | None = None

    def history(self, tree: Tree, kernels: dict[str, tuple[str, ...]]) -> History:
        """Return everything that was recorded, with the state at the end."""
        return History(
            tree,
            tuple(self.attempts),
            tuple(self.follower_states),
            tuple(self.overwrites),
            tuple(self.faults),
            kernels=kernels,
            wiped_at=self.wiped_at,
        )


def now() -> float:
    """Read the clock of all records."""
    return time.monotonic()
