"""Finding the LUN numbers, port ids and TPG tags that a commit uses for something else than before."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap, initiators_of, nodes_of
from lunmapd.core.fleet.former_luns import doubt_of
from lunmapd.core.history.map_change import ObjectName, with_few_luns
from lunmapd.core.map.ledger import Ledger, MapDifference, compare_maps, fold_history, merge_ledgers
from lunmapd.core.map.reuse import (
    ReusedAddress,
    find_reused_addresses,
    find_reused_port_ids,
    find_reused_tags,
)
from lunmapd.core.map.rules.reuse import (
    check_reused_addresses,
    check_reused_port_ids,
    check_reused_tags,
    mapped_entry,
)
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import walk_revisions
from lunmapd.store.tree.ledger import read_ledger
from lunmapd.store.tree.liveness import view_of
from lunmapd.store.tree.members import read_members


class MapStep(Struct, frozen=True):
    """The step from the map at `revision` of a cluster to the map `after`.

    `befores` are the maps that hosts may have seen until now, the one of the revisions first. `touched` are
    the objects in which one of them may differ from `after`. Without a readable tree there is no history.
    """

    cluster: str
    revision: int
    befores: tuple[Lunmap, ...]
    after: Lunmap
    touched: frozenset[ObjectName]
    options: CommitOptions
    has_history: bool = True

    def difference(self) -> MapDifference:
        """Return the difference of `after` from all of `befores`, at the cost of what is touched."""
        *befores, after = with_few_luns((*self.befores, self.after), self.touched)
        return compare_maps(befores, after)


def problems_of_reuse(
    session: Session, step: MapStep, difference: MapDifference, ledger: Ledger
) -> tuple[Problem, ...]:
    """Return what the step uses for something else than before, and the options don't name.

    The nodes are asked only about a LUN number that led to another Lun in an earlier revision.
    """
    return (*_addresses(session, step, difference, ledger), *_ids(step, difference, ledger))


def _addresses(
    session: Session, step: MapStep, difference: MapDifference, ledger: Ledger
) -> Iterator[Problem]:
    suspect = _suspect(step, difference, ledger)
    if step.has_history and any(each.former is None for each in suspect):
        # The stored ledger names the newest Luns only. An undo of many removals needs all of them.
        ledger = merge_ledgers(ledger, ledger_of_history(session, step.befores[0], step.revision))
        suspect = _suspect(step, difference, ledger)
    if doubtful := _doubtful(session, step, suspect):
        everyone = _with_groups(session, step.after, doubtful, ledger)
        yield from check_reused_addresses(doubtful, step.after, step.befores, everyone)


def _suspect(step: MapStep, difference: MapDifference, ledger: Ledger) -> list[ReusedAddress]:
    found = find_reused_addresses(difference, ledger, step.revision)
    return [each for each in found if each.occupant.name not in step.options.reuse_luns]


def ledger_of_history(session: Session, recorded: Lunmap, revision: int) -> Ledger:
    """Return the ledger that follows from the kept revisions, the newest of which led to `recorded`."""
    return fold_history(recorded, walk_revisions(session, revision))


def _ids(step: MapStep, difference: MapDifference, ledger: Ledger) -> Iterator[Problem]:
    named, revision = step.options.reuse_ids, step.revision
    port_ids = find_reused_port_ids(difference, ledger, revision)
    yield from check_reused_port_ids([each for each in port_ids if each.node not in named], step.befores)
    tags = find_reused_tags(difference, ledger, revision)
    yield from check_reused_tags([each for each in tags if each.node not in named], step.befores)


def _doubtful(session: Session, step: MapStep, suspect: Sequence[ReusedAddress]) -> list[ReusedAddress]:
    """Return the addresses whose former device a host may still have, each with the reason."""
    targets = {each.address.target for each in suspect if not each.present} & step.after.targets.keys()
    served = {target: nodes_of(step.after.targets[target]) for target in targets}
    names = sorted({node for nodes in served.values() for node in nodes})
    fleet = read_members(session, names) if names else {}
    views = {name: view_of(node, step.options.signature.now) for name, node in fleet.items()}

    def doubt(each: ReusedAddress) -> str:
        serving = served.get(each.address.target, ())
        return doubt_of(each, serving, views, step.cluster, step.revision)

    judged = [each if each.present else replace(each, doubt=doubt(each)) for each in suspect]
    return [each for each in judged if each.present or each.doubt]


def _with_groups(
    session: Session, after: Lunmap, doubtful: Iterable[ReusedAddress], ledger: Ledger
) -> Ledger:
    """Return the ledger with all initiators of the maps concerned, for which unused numbers are offered."""
    members = {name for each in doubtful for name in initiators_of(after, mapped_entry(after, each)[1])}
    missing = members - ledger.initiators.keys()
    more = read_ledger(session, missing, ids=False).ledger.initiators if missing else {}
    return replace(ledger, initiators={**more, **ledger.initiators})
