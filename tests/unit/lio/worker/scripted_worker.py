"""A scripted worker: an empty LIO whose steps on a target do the action that is its name."""

import os
import sys
import time
from pathlib import Path

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.lio.base.index import KernelIndex, blocking_directory
from lunmapd.lio.worker import wire

_PAUSE = 0.25


def main() -> None:
    """Answer requests.

    The first argument is what to do with an observation, the second a file to create at the start.
    """
    Path(sys.argv[2]).touch()
    for line in sys.stdin.buffer:
        request = wire.decode_request(line)
        if isinstance(request, wire.Observe):
            _misbehave(sys.argv[1])
            objects = tuple(item for directory in request.stuck for item in directory.objects)
            foreign = tuple(directory.path for directory in request.stuck)
            for claim in request.claims:
                if claim.startswith("iqn."):
                    time.sleep(_PAUSE if sys.argv[1] == "slowly" else 0)
                    _send(wire.ObjectsAnswer((lio_objects.Target(claim), lio_objects.Tpg(claim, 1))))
                if claim.startswith("lun."):
                    item = lio_objects.StorageObject(claim, "fileio", f"/{claim}", 1, "1" * 32)
                    _send(wire.ObjectsAnswer((item,), ((BackingFacts(file=claim), (claim,)),)))
            _send(wire.ObservedAnswer(objects, foreign, request.claims, ()))
        else:
            assert isinstance(request, wire.Apply)  # no test sends a PartialObserve
            for number, step in enumerate(request.steps):
                assert isinstance(step.item, lio_objects.Target)
                _send(wire.ProgressAnswer((), ((number, blocking_directory(step.item, KernelIndex())),)))
                if step.item.iqn == "hang-together":
                    _send(
                        wire.ProgressAnswer(
                            (), tuple((each, f"iscsi/{each}") for each in (number, number + 1))
                        )
                    )
                _misbehave(step.item.iqn)
                refused = step.item.iqn == "refuse"
                outcome = Failure(Reason.KERNEL_REFUSED, "no") if refused else None
                _send(wire.ProgressAnswer(((number, outcome),)))


def _misbehave(what: str) -> None:
    if what.startswith("hang-in "):
        _send(wire.ProgressAnswer((), ((0, what.removeprefix("hang-in ")),)))
    if what.startswith("hang"):
        time.sleep(3600)
    if what.startswith("die"):
        os._exit(3)


def _send(answer: wire.Answer) -> None:
    sys.stdout.buffer.write(wire.encode_message(answer) + b"\n")
    sys.stdout.buffer.flush()


main()
