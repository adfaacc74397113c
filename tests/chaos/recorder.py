"""Keeps what happens, from many threads, until all is over."""

import time

from chaos.history import Attempt, Blow, History, Sighting, Smear, Tree


class Recorder:
    """Appending to a list is atomic in Python, so each record is one append and nothing is locked."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.sightings: list[Sighting] = []
        self.smears: list[Smear] = []
        self.blows: list[Blow] = []
        self.gone: float | None = None

    def history(self, tree: Tree, kernels: dict[str, tuple[str, ...]]) -> History:
        """Return all that was recorded, with what was found at the end."""
        return History(
            tree,
            tuple(self.attempts),
            tuple(self.sightings),
            tuple(self.smears),
            tuple(self.blows),
            kernels=kernels,
            gone=self.gone,
        )


def now() -> float:
    """Read the clock of all records."""
    return time.monotonic()
