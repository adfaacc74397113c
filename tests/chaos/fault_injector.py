"""Injects faults, one at a time, and waits after each until every follower has reached head."""

from collections.abc import Callable
from random import Random

from chaos.faults import FAULTS
from chaos.harness import Harness
from chaos.history import FaultRecord
from chaos.recorder import now

_PAUSE = (0.2, 1.0)
_SERVERS = 3

Pause = Callable[[float], bool]
"""Waits for seconds, or until it is time to end; tells whether it is."""


class FaultInjector:
    """Chooses faults, their victims and times by its dice."""

    def __init__(self, harness: Harness, seed: str, lasts: tuple[float, float] = (0.3, 4.0)) -> None:
        self._field = harness
        self._lasts = lasts
        self._dice = Random(seed)
        self.injecting = ""

    def run(self, pause: Pause) -> None:
        """Strike until it is time to end, and leave everything healed."""
        while not pause(self._dice.uniform(*_PAUSE)):
            self.inject(self._dice.choice(sorted(FAULTS)), pause)

    def inject(self, name: str, pause: Pause) -> None:
        """Inject a fault, let it last, heal it, and wait until all have recovered. Raises WaitTimeout."""
        self.injecting = name
        lasts = self._dice.uniform(*self._lasts)
        began = now()
        heal = FAULTS[name](self._field, self._dice)
        pause(lasts)
        heal()
        healed = now()
        self._field.ensemble.wait(_SERVERS)
        self._field.settle()
        self._field.recorder.faults.append(FaultRecord(name, began, healed, now()))
        self.injecting = ""
