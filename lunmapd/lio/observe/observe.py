"""One look at the kernel: a single pass over the configfs files that matter, without rtslib's lists.

Half-built objects, vanishing files, missing attributes and other tools' objects are normal input.
"""

import os
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.project import PORT_ID
from lunmapd.lio.base.index import KernelIndex, tpg_path
from lunmapd.lio.base.observation import EmitObjects, Observation, ObservationHints
from lunmapd.lio.base.parse import parse_directory_number
from lunmapd.lio.observe.acls import observe_acls, observe_dynamic_sessions
from lunmapd.lio.observe.auth import observe_discovery
from lunmapd.lio.observe.storage_objects import observe_storage_objects
from lunmapd.lio.observe.tpgs import is_inert, is_marked, observe_luns, observe_tpg, record_features

_NO_TARGETS = ("discovery_auth",)
_SYMBOLS = Path("/proc/kallsyms")
_PORT_ID_SYMBOL = b"target_fabric_tpg_base_rtpi_store"


class ObservationResult(Struct):
    """What one look found, and where it is kept."""

    observed: Observed
    index: KernelIndex


def observe(root: Path, claims: AbstractSet[str]) -> Observed:
    """Look at LIO below `root`, configfs' target directory. Raises OSError if it can't be read.

    `claims` are the target names that lunmapd recorded before it began to create them: of an unmarked target with
    such a name whose TPGs are all inert, the crash between mkdir and mark is assumed, and it is ours. What discovery
    asks for has no mark, so it is ours only by its claim.
    """
    return observe_lio(root, claims).observed


def observe_lio(
    root: Path,
    claims: AbstractSet[str],
    hints: ObservationHints | None = None,
    emit: EmitObjects | None = None,
    enter: Callable[[str], None] = lambda _: None,
) -> ObservationResult:
    """Look, leaving alone the directories that are held. Objects that went to `hand_on` are not in what is returned.

    `enter` is told of the largest directories, before they are looked at.
    """
    observation = Observation(root, hints, emit)
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
        observation.missing,
        observation.sizes,
    )
    return ObservationResult(observed, observation.index)


def kernel_features() -> AbstractSet[str]:
    """Return the features that the loaded modules have, read from the kernel's symbol table.

    A TPG shows them by its files, but the first TPG must be made knowing them; version numbers would be wrong on
    distribution kernels with backports.
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
    numbers = (parse_directory_number(name, "tpgt_") for name in observation.list_directories(f"iscsi/{iqn}"))
    tags = [tag for tag in numbers if tag is not None]
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
        return
    observation.add(lio_objects.Target(iqn))
    for tag in sorted(marked | inert):
        enter(tpg_path(iqn, tag))
        _tpg(observation, iqn, tag)


def _tpg(observation: Observation, iqn: str, tag: int) -> None:
    if observation.skip_stuck(tpg_path(iqn, tag)):
        return
    observe_tpg(observation, iqn, tag)
    observe_acls(observation, iqn, tag, observe_luns(observation, iqn, tag))
    observe_dynamic_sessions(observation, iqn, tag)
