"""The stage of a commit that keeps LUN addresses, port ids and TPG tags from leading to something else.

The ledger is read only if the map gets or loses one of them, and its writes are part of the commit.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.clock import rfc3339
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.documents import DocumentError, encode
from lunmapd.core.base.errors import InvalidInputError, Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Allowance, Change, as_raw, patch_map, split_path
from lunmapd.core.history.map_change import MapChange
from lunmapd.core.map.ledger import (
    IdRecord,
    Ledger,
    MapDifference,
    as_stored,
    compare_maps,
    ids_as_stored,
    merge_ledgers,
    record_departures,
)
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content, Write, WriteStep, lasting
from lunmapd.store.commit.reuse import MapStep, ledger_of_history, problems_of_reuse
from lunmapd.store.commit.serials import problems_of_serials
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.ledger import StoredLedger, is_recorded, read_ledger, read_whole_ledger
from lunmapd.store.tree.snapshot import Snapshot, effective_map

_REUSE_LASTS = timedelta(hours=1)


class _Loaded(Struct, frozen=True):
    """The part of the ledger that a commit needs: as it is stored, and as it should be.

    `rebuilt` says that it is the whole ledger.
    """

    stored: StoredLedger
    ledger: Ledger
    rebuilt: bool = False


def with_ledger(
    session: Session,
    latest: Snapshot,
    change: MapChange,
    content: Content,
    options: CommitOptions,
) -> Content:
    """Return the content with the writes of the ledger, and with the override of the Luns named for reuse.

    `change` is that of the effective map. A tree without a ledger gets the one of its history. Raises
    InvalidInputError for a LUN number, port id, TPG tag or serial that is used again and not named in the
    options, and DamagedError for a record that can't be decoded.
    """
    step = _step_from(latest, change, options)
    if problems := problems_of_serials(session, step):
        raise InvalidInputError(problems)
    content = with_reuse_allowance(content, latest, change.after, options)
    difference = step.difference()
    if difference == MapDifference():
        return content
    loaded = _load(session, latest, difference)
    if problems := problems_of_reuse(session, step, difference, loaded.ledger):
        raise InvalidInputError(problems)
    return _with_writes(content, loaded, difference, latest.revision + 1)


def with_rebuilt_ledger(session: Session, latest: Snapshot, after: Lunmap, content: Content) -> Content:
    """Return the content with the writes of the ledger of all revisions up to `after`, the next one.

    Nothing is refused.
    """
    difference = compare_maps(known_maps(latest), after)
    return _with_writes(content, _rebuild(session, latest), difference, latest.revision + 1)


def find_reuse(
    session: Session, latest: Snapshot, change: MapChange, options: CommitOptions
) -> tuple[Problem, ...]:
    """Return the problems for which `with_ledger` would refuse the change."""
    step = _step_from(latest, change, options)
    problems = problems_of_serials(session, step)
    difference = step.difference()
    if not (difference.new or difference.new_port_ids or difference.new_tags):
        return problems
    loaded = _load(session, latest, difference)
    return (*problems, *problems_of_reuse(session, step, difference, loaded.ledger))


def _step_from(latest: Snapshot, change: MapChange, options: CommitOptions) -> MapStep:
    # The known maps differ from the effective one in objects that were edited, and in no others.
    touched = change.objects.union(map(split_path, latest.edited))
    return MapStep(latest.cluster, latest.revision, known_maps(latest), change.after, touched, options)


def read_ids(session: Session, latest: Snapshot) -> IdRecord:
    """Return the port ids and TPG tags whose use ended. Raises DamagedError."""
    stored = read_ledger(session, (), ids=True)
    return stored.ledger.ids if _is_whole(latest, stored) else _rebuild(session, latest).ledger.ids


def read_addresses(session: Session, latest: Snapshot, initiators: Collection[str]) -> Ledger:
    """Return the LUN numbers of initiators whose use ended. Raises DamagedError."""
    stored = read_ledger(session, initiators, ids=False)
    return stored.ledger if _is_whole(latest, stored) else _rebuild(session, latest).ledger


def with_reuse_allowance(
    content: Content, latest: Snapshot, after: Lunmap, options: CommitOptions
) -> Content:
    """Return the content with an override for the Luns that the options name for reuse.

    Luns of an earlier override of this kind stay in it.
    """
    if not options.reuse_luns & after.luns.keys():
        return content
    return replace(content, allows=allowance_after(latest, after, options))


def allowance_after(latest: Snapshot, after: Lunmap, options: CommitOptions) -> Allowance | None:
    """Return the override that is in effect after a commit of a map, None for none."""
    earlier = lasting(latest.allowance, options.signature.now)
    luns = options.reuse_luns & after.luns.keys()
    if not luns:
        return earlier
    until = rfc3339(options.signature.now + _REUSE_LASTS)
    every = sorted(luns | set(earlier.luns if earlier else ()))
    return Allowance(Disruption.OTHER_DATA.word, until, luns=tuple(every))


def known_maps(latest: Snapshot) -> tuple[Lunmap, ...]:
    """Return the maps that hosts may have seen: without out-of-band edits, and the effective one."""
    effective = effective_map(latest)
    if not latest.edited:
        return (effective,)
    recorded = latest.lunmap
    for path, data in latest.edited.items():
        with suppress(DocumentError):
            recorded = patch_map(recorded, (Change(path, after=as_raw(data)),))
    return (recorded, effective)


def _load(session: Session, latest: Snapshot, difference: MapDifference) -> _Loaded:
    initiators = {address.initiator for each in (difference.new, difference.left) for address in each}
    stored = read_ledger(session, initiators, ids=difference.needs_ids)
    return _Loaded(stored, stored.ledger) if _is_whole(latest, stored) else _rebuild(session, latest)


def _is_whole(latest: Snapshot, stored: StoredLedger) -> bool:
    """Return whether the ledger has all revisions; commits of a version that keeps none clear `ledger`."""
    return latest.ledger and stored.exists


def _rebuild(session: Session, latest: Snapshot) -> _Loaded:
    stored = read_whole_ledger(session)
    history = ledger_of_history(session, known_maps(latest)[0], latest.revision)
    return _Loaded(stored, merge_ledgers(stored.ledger, history), rebuilt=True)


def _with_writes(content: Content, loaded: _Loaded, difference: MapDifference, revision: int) -> Content:
    updated = record_departures(loaded.ledger, difference, revision)
    steps = (WriteStep(write=write) for write in ledger_writes(loaded.stored, updated))
    return replace(content, steps=(*content.steps, *steps), rebuilt=loaded.rebuilt)


def departure_writes(
    session: Session, latest: Snapshot, before: Lunmap, after: Lunmap, revision: int
) -> tuple[Write, ...]:
    """Return the writes that record what `revision` ends, from the map `before` it to the one `after` it.

    They may be made before the revision: a number that is recorded too early is only avoided. Nothing is
    refused, since nodes may follow the revision already. Raises DamagedError.
    """
    difference = compare_maps((before,), after)
    if difference == MapDifference():
        return ()
    loaded = _load(session, latest, difference)
    return tuple(ledger_writes(loaded.stored, record_departures(loaded.ledger, difference, revision)))


def ledger_writes(stored: StoredLedger, ledger: Ledger) -> Iterator[Write]:
    """Yield the writes that make the stored ledger equal to `ledger`, the parent first."""
    if not stored.exists:
        yield Write(paths.ADDRESSES, None, b"")
    before = stored.ledger.initiators
    records = {
        paths.address_record(name): encode(as_stored(record))
        for name, record in sorted(ledger.initiators.items())
        if record.targets and record is not before.get(name) and is_recorded(name)
    }
    ids = {paths.IDS: encode(ids_as_stored(ledger.ids))} if ledger.ids != stored.ledger.ids else {}
    for path, data in {**records, **ids}.items():
        raw = stored.raws.get(path)
        if raw is None:
            yield Write(path, None, data)
        elif raw.data != data:
            yield Write(path, raw.data, data, raw.version)
