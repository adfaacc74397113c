"""What every node would do if a proposal were committed."""

from lunmapd.client.committer import Committer
from lunmapd.client.fleet import read_nodes
from lunmapd.client.note import Note, Proposal
from lunmapd.clock import rfc3339
from lunmapd.core.forecast.fleet import Forecast, forecast_fleet
from lunmapd.core.forecast.node import ForeseenCommit
from lunmapd.store.commit.ledger import allowance_after
from lunmapd.store.tree.snapshot import effective_map


def foresee_nodes(committer: Committer, proposal: Proposal, note: Note) -> Forecast:
    """Return what every node would do: see `Client.forecast`."""
    fleet = read_nodes(committer.session, proposal.before)
    options = committer.options(note)
    change = ForeseenCommit(
        effective_map(proposal.before),
        proposal.after,
        proposal.before.revision,
        allowance_after(proposal.before, proposal.after, options),
        rfc3339(options.signature.now),
    )
    return forecast_fleet(change, fleet.views(options.signature.now))
