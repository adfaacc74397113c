"""Observing LIO: each configfs file that matters is read once, without rtslib's listings.

Incomplete objects, vanishing files, missing attributes and other tools' objects are normal input.
"""

import os
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Observed
from lunmapd.lio.base.index import KernelIndex, tpg_path
from lunmapd.lio.base.observation import EmitObjects, Observation, ObservationHints
from lunmapd.lio.observe.acls import observe_acls, observe_dynamic_sessions
from lunmapd.lio.observe.auth import observe_discovery
from lunmapd.lio.observe.counters import read_counters, record_counters
from lunmapd.lio.observe.login_counters import observe_login_counters
from lunmapd.lio.observe.reservations import observe_reservations
from lunmapd.lio.observe.storage_objects import observe_storage_objects
from lunmapd.lio.observe.tpgs import is_inert, is_marked, observe_luns, observe_tpg, record_features

_NO_TARGETS = ("discovery_auth",)
_SYMBOLS = Path("/proc/kallsyms")
_PORT_ID_SYMBOL = b"target_fabric_tpg_base_rtpi_store"


class ObservationResult(Struct):
    """The observed objects, and the index of their kernel numbers."""

    observed: Observed
    index: KernelIndex


def observe_lio(
    root: Path,
    claims: AbstractSet[str],
    hints: ObservationHints | None = None,
    emit: EmitObjects | None = None,
    enter: Callable[[str], None] = lambda _: None,
) -> ObservationResult:
    """Observe LIO below `root`, configfs' target directory. Raises OSError if it can't be read.

    `claims` are the target names that lunmapd recorded before it began to create the targets. An unmarked
    target with such a name whose TPGs are all inert is lunmapd's: a crash between its mkdir and its mark is
    assumed. The credentials of discovery have no mark, so they are lunmapd's only by their claim.

    Stuck directories in `hints` are not read. What went to `emit` is not in the result. `enter` is
    called with the path of each of the largest directories before it is read.
    """
    observation = Observation(root, hints, emit)
    if not observation.expected and not observation.stuck:
        _expect_exported(observation, enter)
    enter("core")
    observe_storage_objects(observation)
    enter("iscsi")
    if lio_objects.DISCOVERY_CLAIM in claims:
        observe_discovery(observation)
    for iqn in observation.list_directories("iscsi"):
        if iqn not in _NO_TARGETS:
            _target(observation, iqn, claims, enter)
    for path in observation.stuck:
        observation.skip_stuck(path)
    sessions = tuple(observation.sessions)
    observed = Observed(
        observation.objects,
        observation.foreign,
        observation.features,
        sessions,
        observation.backings,
        observe_reservations(observation),
        tuple(observation.login_counters),
        observation.misspelled,
        observation.counters,
    )
    return ObservationResult(observed, observation.index)


def _expect_exported(observation: Observation, enter: Callable[[str], None]) -> None:
    """Expect in each HBA the storage object that a LUN exports from it.

    A first observation knows none. To read the symlink of a LUN is cheaper than to list an HBA, which is done
    where the HBA does not hold what is expected.
    """
    for iqn in observation.list_directories("iscsi"):
        for tpg in observation.list_directories(f"iscsi/{iqn}"):
            enter(f"iscsi/{iqn}/{tpg}")
            for lun in observation.list_directories(f"iscsi/{iqn}/{tpg}/lun"):
                link = observation.read_link(f"iscsi/{iqn}/{tpg}/lun/{lun}") or ""
                hba, _, name = link.rpartition("/")
                observation.expected[hba.rpartition("/")[2]] = name


def kernel_features() -> AbstractSet[str]:
    """Return the features of the loaded modules, read from the kernel's symbol table.

    The files of a TPG show the same features, but they must be known before the first TPG is made. The
    kernel's version can't be used, since distributions backport features.
    """
    try:
        with _SYMBOLS.open("rb") as symbols:
            return frozenset([PORT_ID] if any(_PORT_ID_SYMBOL in line for line in symbols) else [])
    except FileNotFoundError:
        return frozenset()


def _target(
    observation: Observation, iqn: str, claims: AbstractSet[str], enter: Callable[[str], None]
) -> None:
    if observation.skip_stuck(f"iscsi/{iqn}"):
        return
    enter(f"iscsi/{iqn}")
    tags = observation.list_numbers(f"iscsi/{iqn}", "tpgt_")
    marked = {
        tag for tag in tags if tpg_path(iqn, tag) in observation.stuck or is_marked(observation, iqn, tag)
    }
    inert = (
        {tag for tag in tags if tag not in marked and is_inert(observation, iqn, tag)}
        if iqn in claims
        else set()
    )
    for tag in tags[:1]:
        record_features(observation, iqn, tag)
    if not marked and not (iqn in claims and len(inert) == len(tags)):
        observation.foreign.add(os.fsencode(iqn).decode(errors="replace"))
        observation.misspelled -= {
            path for path in observation.misspelled if path.startswith(f"iscsi/{iqn}/")
        }
        return
    observation.add(lio_objects.Target(iqn))
    observe_login_counters(observation, iqn)
    before = read_counters(observation, iqn)
    for tag in sorted(marked | inert):
        enter(tpg_path(iqn, tag))
        _tpg(observation, iqn, tag)
    record_counters(observation, iqn, before)


def _tpg(observation: Observation, iqn: str, tag: int) -> None:
    if observation.skip_stuck(tpg_path(iqn, tag)):
        return
    observe_tpg(observation, iqn, tag)
    observe_acls(observation, iqn, tag, observe_luns(observation, iqn, tag))
    observe_dynamic_sessions(observation, iqn, tag)
