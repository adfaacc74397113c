"""The long form: thousands of random edits under random faults, each history checked. `make soak` runs it.

The seed decides the edits, the faults, their victims and times. Threads, servers and the clock decide the
rest, so the same seed strikes in the same way but need not find the same race again.
"""

import argparse
import logging
import sys
import tempfile
import time
import uuid
from collections import Counter
from itertools import cycle
from pathlib import Path

from chaos.campaign import Campaign, check_history, run_campaign
from chaos.fault_injector import FaultInjector
from chaos.harness import Harness
from chaos.history import FaultRecord, History, Violation
from lab import Ensemble, Lab
from lab.errors import WaitTimeout
from lab.wait import wait_until
from lunmapd.store.session.errors import NotInitialisedError

SEED = 20260101
EDITS = 5000
DISK = "128m"
BUILD = Path("build") / "chaos"
_ROUND = 500
_WRITERS = (1, 2, 20)
_THINK = 0.1  # seconds for each writer, so that all rounds have about as many edits a second
_SESSION_TIMEOUT = 2.0
_TELL_EVERY = 10.0


class Soak:
    """Rounds of edits on one ensemble, a tree of its own for each, and their results."""

    def __init__(self, ensemble: Ensemble, seed: int, edits: int) -> None:
        self._ensemble = ensemble
        self._seed = seed
        self._edits = edits
        self._began = self._told = time.monotonic()
        self._outcomes: Counter[str] = Counter()
        self._faults: list[FaultRecord] = []
        self._revisions = 0
        self.found: tuple[Violation, ...] = ()

    def run(self) -> None:
        """Go on until all edits are made, or a promise is broken."""
        left, writers = self._edits, cycle(_WRITERS)
        number = 0
        while left > 0 and not self.found:
            number += 1
            count = next(writers)
            plan = Campaign(count, min(_ROUND, left), _THINK * count)
            with tempfile.TemporaryDirectory() as directory:
                self._round(number, plan, Path(directory))
            left -= plan.edits

    def _round(self, number: int, plan: Campaign, directory: Path) -> None:
        """Run one round; at its end every server loses its data, and no node may follow that."""
        root, seed = f"/{uuid.uuid4().hex}/lunmap", f"{self._seed}/{number}"
        with Harness(self._ensemble, root, seed, directory, _SESSION_TIMEOUT) as harness:
            try:
                run_campaign(harness, plan, lambda injector: self._tell(number, plan, harness, injector))
                tree = harness.wipe()
                wait_until("all find no tree", lambda: harness.all_fail_with(NotInitialisedError))
            except WaitTimeout as stuck:
                harness.stop_writers()
                self._note(number, plan, harness.history(), Violation("all recover", str(stuck)))
            else:
                self._note(number, plan, harness.history(tree))

    def _tell(self, number: int, plan: Campaign, harness: Harness, injector: FaultInjector) -> None:
        if time.monotonic() < self._told + _TELL_EVERY:
            return
        self._told = time.monotonic()
        count = len(self._faults) + len(harness.recorder.faults)
        now = f", now {injector.injecting}" if injector.injecting else ""
        self._say(
            f"round {number}, {plan.writers} writers: {harness.committed} of {plan.edits} edits, {count} faults{now}"
        )

    def _note(self, number: int, plan: Campaign, history: History, *stuck: Violation) -> None:
        self._outcomes.update(attempt.outcome for attempt in history.attempts)
        self._faults += history.faults
        self._revisions += history.tree.head.revision
        self.found = check_history(history, BUILD / f"{self._seed}-{number}", stuck)
        verdict = "all promises kept" if not self.found else f"{len(self.found)} promises broken"
        self._say(
            f"round {number}, {plan.writers} writers: {history.tree.head.revision} revisions, {verdict}"
        )
        for violation in self.found:
            print(f"    {violation}")

    def _say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._began:6.1f} s] {what}", flush=True)

    def summarise(self) -> None:
        """Print what all rounds came to."""
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.most_common())
        faults = ", ".join(f"{count} {name}" for name, count in self._by_fault().most_common())
        print(f"\nseed       {self._seed}")
        print(f"edits      {self._edits} asked for, {self._revisions} revisions")
        print(f"attempts   {outcomes}")
        print(f"faults     {len(self._faults)}: {faults}")
        if self._faults:
            slowest = max(self._faults, key=lambda fault: fault.settled - fault.healed)
            print(
                f"converged  at most {slowest.settled - slowest.healed:.1f} s after a fault was healed ({slowest.fault})"
            )
        where = f"; the history is in {BUILD}" if self.found else ""
        print(
            f"verdict    {'a promise was broken' if self.found else 'every promise was kept'}{where}",
            flush=True,
        )

    def _by_fault(self) -> Counter[str]:
        return Counter(fault.fault for fault in self._faults)


def main() -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=SEED, help="seed of edits and faults (default %(default)s)"
    )
    parser.add_argument("--edits", type=int, default=EDITS, help="edits to make (default %(default)s)")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # kazoo and the agents log every fault
    print(f"seed {chosen.seed}, {chosen.edits} edits", flush=True)
    with Lab(tree=None) as lab:
        soak = Soak(lab.ensemble(3, disk=DISK), chosen.seed, chosen.edits)
        soak.run()
    soak.summarise()
    return 1 if soak.found else 0


if __name__ == "__main__":
    sys.exit(main())
