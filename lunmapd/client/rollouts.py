"""How a rollout starts, is confirmed, continues and ends; overrides of what nodes hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.client.fleet import check_not_undone, read_nodes
from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.core.base.errors import Exit, InvalidInputError, LunmapdError, Problem
from lunmapd.core.placement.leased_groups import floating_groups, takeover_group
from lunmapd.store.commit import acts
from lunmapd.store.commit.commit_options import Trial
from lunmapd.store.commit.end_rollout import confirm_rollout
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import effective_map

if TYPE_CHECKING:
    from lunmapd.client.committer import Committer
    from lunmapd.client.note import Note, Proposal
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.history.changes import Allowance, Revision
    from lunmapd.store.session.session import Session


class FirstNodesDeadError(LunmapdError):
    """The nodes `names`, which should try a revision first, are dead."""

    exit_code = Exit.DEGRADED

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(
            f"nothing was committed: {', '.join(names)} would try the revision first, and no other could be "
            "committed meanwhile, but is dead: name live nodes by --first; 'lunmapctl status' shows them"
        )


def trial_of(session: Session, proposal: Proposal, note: Note) -> Trial | None:
    """Return how the commit is rolled out, None for a commit that all nodes follow at once.

    Raises FirstNodesDeadError, and InvalidInputError for what can't be tried.
    """
    if not (note.first or note.confirm_within):
        return None
    fleet = read_nodes(session)
    lunmap, revision = fleet.snapshot.lunmap, fleet.snapshot.revision
    check_known(lunmap, note.first)
    if problems := _changed_groups(effective_map(proposal.before), proposal.after):
        raise InvalidInputError(problems)
    if dead := tuple(name for name in note.first if fleet.nodes[name].live is None):
        raise FirstNodesDeadError(dead)
    alive = all(fleet.nodes[name].live for name in lunmap.nodes)
    applied = revision if alive and not fleet.behind(revision) else 0
    return Trial(note.first, note.confirm_within, applied, note.confirm_removals)


def _changed_groups(before: Lunmap, after: Lunmap) -> list[Problem]:
    """Return a problem for each floating portal group that a commit changes: all nodes must know one list.

    The ACL of its lease follows the newest map, and is not undone with it. So it is with a Lun that changes
    its takeover group: by two maps it would be optimized on two nodes.
    """
    was, now = (
        {(iqn, name): group for iqn, name, group in floating_groups(lunmap)} for lunmap in (before, after)
    )
    text = "it can't be changed by a revision that is tried: commit it without --first and --confirm-within"
    changed = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    moved = sorted(
        name
        for name in before.luns.keys() & after.luns.keys()
        if takeover_group(before.luns[name]) != takeover_group(after.luns[name])
    )
    return [
        *(Problem(("targets", iqn, "floating", name), text) for iqn, name in changed),
        *(Problem(("luns", name, "preferred"), text) for name in moved),
    ]


def check_known(lunmap: Lunmap, nodes: tuple[str, ...]) -> None:
    """Check that the map has these nodes. Raises InvalidInputError."""
    if unknown := sorted(set(nodes) - lunmap.nodes.keys()):
        raise InvalidInputError([Problem(("nodes", name), "the map has no such node") for name in unknown])


def confirm(committer: Committer, revision: int | None, note: Note) -> Revision | None:
    """Confirm removals, or the revision that is tried: see `Client.confirm`."""
    now = read_tree(committer.session)
    if now.rollout is not None and revision in {None, now.rollout.revision}:
        # Another rollout that begins meanwhile is not confirmed.
        bound = note if note.expect is not None else replace(note, expect=now.rollout.revision)
        return committer.tidied(confirm_rollout(committer.session, now, committer.options(bound)))
    # A late admin means the revision that was tried.
    check_not_undone(committer.session, now.revision if revision is None else revision + 1)
    chosen = now.revision if revision is None else revision
    return committer.tidied(acts.confirm(committer.session, now, chosen, committer.options(note)))


def override(committer: Committer, allowance: Allowance, note: Note) -> Revision:
    """Let nodes take steps up to a class of disruption: see `Client.override`."""
    now = read_tree(committer.session)
    if problems := _problems_of_override(now.lunmap, allowance):
        raise InvalidInputError(problems)
    return committer.tidied(acts.override(committer.session, now, allowance, committer.options(note)))


def _problems_of_override(lunmap: Lunmap, allowance: Allowance) -> list[Problem]:
    disruption, nodes, luns = allowance.disruption, allowance.nodes, allowance.luns
    problems = [
        Problem((section, name), f"the map has no such {kind}")
        for section, kind, named, known in (
            ("nodes", "node", nodes, lunmap.nodes),
            ("luns", "Lun", luns, lunmap.luns),
        )
        for name in sorted(set(named) - known.keys())
    ]
    if disruption not in DISRUPTION_WORDS:
        problems.append(Problem((), f"{disruption!r} is none of {', '.join(DISRUPTION_WORDS)}"))
    elif luns and disruption != Disruption.OTHER_DATA.word:
        problems.append(Problem((), f"only {Disruption.OTHER_DATA.word} can be limited to Luns"))
    return problems
