"""Finding the Luns that give a serial another path than the Lun that was mapped with it last."""

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.names import naa
from lunmapd.core.history.map_change import names_in
from lunmapd.core.map.rules.serials import check_moved_sources
from lunmapd.core.map.serials import (
    current_mappings,
    last_mappings,
    moved_sources,
    stays_mapped,
    touched_luns,
    unmapped_and_kept,
)
from lunmapd.store.commit.reuse import MapStep
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import walk_revisions


def problems_of_serials(session: Session, step: MapStep) -> tuple[Problem, ...]:
    """Return the Luns whose serial gets another path, and which the options don't name.

    The history is read only for a serial that the current maps lack, unless it was chosen for this commit,
    and for an unmapped Lun that gets another path.
    """
    touched = touched_luns(step.befores, step.after, names_in("luns", step.touched))
    # Most commits change Luns that stay mapped: the identifiers of all others are not needed then.
    names = {name for name in touched if not stays_mapped(step.befores, step.after, name)}
    naas = {naa(step.after.luns[name].serial) for name in names}
    former = current_mappings(step.befores, naas, step.revision)
    kept = unmapped_and_kept(step.befores, step.after, names)
    if unknown := naas - former.keys() - kept - set(map(naa, step.options.new_serials)):
        newest_first = walk_revisions(session, step.revision)
        former |= last_mappings(unknown, step.befores[0], newest_first)
    moved = moved_sources(step.after, names, former)
    return tuple(check_moved_sources(moved, step.after, step.options.rebacking))
