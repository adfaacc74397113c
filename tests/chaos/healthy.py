"""Healthy nodes on real kernels, with a host that does I/O: no problem may be reported. `make quiet` runs it.

The nodes check their portals, read their backings, compare LIO with the map and count logins, as in
production; whatever they report in that time is a false alarm.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lab import Lab
from lab.wait import wait_until
from lunmapd.client import Client, Fleet
from support.cluster import DB1, Cluster, bring_up

MINUTES = 60.0
BUILD = Path("build") / "healthy"  # the logs of the machines
_EVERY = 1.0  # seconds between two looks


def problems(fleet: Fleet, now: datetime) -> Iterator[str]:
    """Yield what the nodes of a fleet report as not well."""
    for name, view in fleet.views(now).items():
        if not view.is_current or view.status is None:
            yield f"{name} is dead or silent"
            continue
        yield from (f"{name}: {kind}: {reason}" for kind, reason in view.status.false_conditions.items())
        yield from (f"{name}: {each.object}: {each.reason}: {each.message}" for each in view.status.failing)
        yield from (f"{name}: a refused login: {each}" for each in view.status.refused)
    yield from (f"{each.lun} lacks a path" for each in fleet.lun_paths(now) if not each.is_whole)
    yield from map(str, fleet.backing_differences(now))


def watch(cluster: Cluster, seconds: float) -> Counter[str]:
    """Return each problem that is reported within the time, and in how many looks it was there."""
    found = Counter[str]()
    began = told = time.monotonic()
    with Client.connect(cluster.ensemble.hosts) as client:
        while time.monotonic() < began + seconds:
            for problem in problems(client.fleet(), datetime.now(UTC)):
                if not found[problem]:
                    print(f"[{time.monotonic() - began:6.0f} s] {problem}", flush=True)
                found[problem] += 1
            if time.monotonic() > told + 60.0:
                told = time.monotonic()
                print(f"[{told - began:6.0f} s] {len(found)} problems so far", flush=True)
            time.sleep(_EVERY)
    return found


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="healthy", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="default %(default)s")
    minutes = parser.parse_args().minutes
    with Lab(artifacts=BUILD) as lab:
        cluster = bring_up(lab, nodes=2)
        cluster.ctl.apply(cluster.for_two())
        cluster.login()
        wait_until("all is as the map says", cluster.all_well)
        io = cluster.initiator.verified_io(cluster.paths(DB1).device)
        found = watch(cluster, 60.0 * minutes)
        end = io.stop()
    print(f"{minutes:g} minutes, 2 nodes, I/O: {end}")
    print(f"verdict    {f'{len(found)} false alarms' if found else 'nothing was reported'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
