"""The input of a pass, from the map, the settings and what is confirmed.

The same for the daemon and `lunmapd plan`.
"""

from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.agent.loop.policy import Policy
from lunmapd.clock import utc_now
from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_reads import ReadProblems
from lunmapd.core.node.portals import PortalProblems
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.disruption_limit import allowed_disruption
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.other_data import AddressRules, allowed_reuse
from lunmapd.core.secrets.sealing import Keyring, Vault
from lunmapd.store.tree.snapshot import Snapshot, effective_map


class NodeUnknownError(ConditionError, reason=Reason.NODE_UNKNOWN):
    """The map has no node of this name, which may be a typing error as well as a removal.

    Nothing is changed.
    """


class NoMapError(ConditionError, reason=Reason.NO_MAP):
    """There is no map that could be followed."""


class Circumstances(Struct, frozen=True):
    """What earlier cycles, the contact with ZooKeeper and the checks of portals and backings mean for a pass.

    All fields are as in PassInput.
    """

    confirmed: Lunmap | None = None
    decided: AbstractSet[lio_objects.Key] = frozenset()
    enablement: Enablement = Enablement.ALL
    portals: PortalProblems = {}
    unread: ReadProblems = {}


def point_of(snapshot: Snapshot) -> HistoryPoint:
    """Return the point of the cluster's history that a snapshot is of."""
    return HistoryPoint(snapshot.cluster, snapshot.revision, snapshot.digest)


def _is_known(node: str, snapshot: Snapshot) -> bool:
    """Return whether the tree has a document of the node, or other documents need the committed one."""
    if node in snapshot.lunmap.nodes or f"nodes/{node}" in snapshot.unreadable:
        return True
    return f"nodes/{node}" in snapshot.edited and node in effective_map(snapshot).nodes


def pass_input(
    node: str, snapshot: Snapshot, policy: Policy, keys: Keyring, circumstances: Circumstances
) -> PassInput:
    """Return the input of a pass of `node`. Raises NodeUnknownError."""
    if not _is_known(node, snapshot):
        raise NodeUnknownError(
            f"the map has no node {node!r}: LIO is left as it is; "
            "add the node, or correct 'node' in the settings"
        )
    now = utc_now()
    return PassInput(
        node=node,
        revision=snapshot.revision,
        lunmap=snapshot.lunmap,
        unreadable=snapshot.unreadable,
        vault=Vault(snapshot.cluster, keys),
        edited=snapshot.edited,
        confirmed=circumstances.confirmed,
        decided=circumstances.decided,
        limits=policy.limits,
        enablement=circumstances.enablement,
        allow=allowed_disruption(policy.allow, snapshot.allowance, node, now),
        report=policy.report,
        portals=circumstances.portals,
        unread=circumstances.unread,
        addresses=AddressRules(reuse=allowed_reuse(snapshot.allowance, node, now)),
    )
