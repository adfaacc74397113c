"""Observing the files in which the kernel keeps persistent reservations."""

from collections import Counter
from collections.abc import Iterator

from lunmapd.core.node.reservations import NO_RESERVATION_FILES, ReservationFiles, ReservationRecord
from lunmapd.lio.base.index import record_number
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.reservation_files import (
    SavedRegistrations,
    count_live,
    find_write_problem,
    live_flags,
    read_registrations,
)


def observe_reservations(observation: Observation) -> ReservationFiles:
    """Return the reservation files, and reserve the LUN numbers in them.

    It must be called after all storage objects were observed.
    """
    directories = observation.reservation_directories
    if not directories:
        return NO_RESERVATION_FILES
    names = {serial: name for name, serial in observation.index.recorded_serials.items()}
    records: list[ReservationRecord] = []
    damaged: list[str] = []
    for serial, path in observation.reservation_files.items():
        saved, name = read_registrations(path), names.get(serial, "")
        if saved.damaged and name and not saved.changing:
            damaged.append(str(path))
        records.extend(_records(observation, serial, name, saved))
    problem = find_write_problem(directories[0]) if observation.offers_reservations else ""
    return ReservationFiles(tuple(records), tuple(damaged), problem)


def _records(
    observation: Observation, serial: str, name: str, saved: SavedRegistrations
) -> Iterator[ReservationRecord]:
    """Yield the records of a file; those of one that changes just now count as in memory."""
    is_known = saved.registrations and not saved.changing
    memory = _in_memory(observation, name) if is_known else None
    for one, live in zip(saved.registrations, live_flags(saved.registrations, memory), strict=True):
        record_number(observation.index, (one.iqn, one.tag), serial, one.number)
        yield ReservationRecord(
            serial, name, one.initiator, f"{one.key:#x}", one.iqn, one.tag, one.lun, one.holder, live
        )


def _in_memory(observation: Observation, name: str) -> Counter[tuple[str, str, int]] | None:
    """Return the registrations in memory, None if they can't be known."""
    hba = observation.index.hbas.get(name)
    if hba is None:
        return Counter()
    if f"core/{hba}" in observation.stuck:
        return None
    return count_live(observation.read(f"core/{hba}/{name}/pr/res_pr_registered_i_pts") or "")
