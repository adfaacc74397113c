"""What all nodes would do after a commit, and to whom."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import NodeStatus, serving_logins
from lunmapd.core.forecast.node import ForeseenCommit, NodeForecast, forecast_node
from lunmapd.core.forecast.reduce import reduce_maps
from lunmapd.core.forecast.standing import describe_outlook, outlook_of
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses
from lunmapd.core.planning.impact import Logins


class MovedAddress(Struct, frozen=True):
    """A LUN number of an initiator that leads from one Lun to another one; both are names.

    `before` is the Lun of the map before the commit, or one that nodes report as a former Lun.
    """

    target: str
    initiator: str
    lun: int
    before: str
    after: str


class LeavingNode(Struct, frozen=True):
    """A node that the map after the commit does not have, with the hosts that are logged in there.

    It changes nothing, and serves what it serves.
    """

    node: str
    hosts: tuple[str, ...] = ()


class Forecast(Struct, frozen=True):
    """What all nodes would do. `revision` is that of the map before the commit.

    `addresses` are the LUN numbers that would lead to another Lun.
    """

    revision: int
    nodes: tuple[NodeForecast, ...] = ()
    leaving: tuple[LeavingNode, ...] = ()
    addresses: tuple[MovedAddress, ...] = ()

    @property
    def disturbed(self) -> tuple[str, ...]:
        """The hosts that would lose a path at least, on any node."""
        names = {host.initiator for node in self.nodes for host in node.hosts if host.is_disturbed}
        return tuple(sorted(names))

    @property
    def holding(self) -> tuple[str, ...]:
        """The nodes that would hold steps."""
        return tuple(node.node for node in self.nodes if node.holds)

    @property
    def worst(self) -> Disruption:
        """The worst class for anybody who is logged in."""
        classes = (DISRUPTION_WORDS[host.disruption] for node in self.nodes for host in node.hosts)
        return max(classes, default=Disruption.NONE)

    @property
    def is_noticed(self) -> bool:
        """Whether a host is disturbed, a node holds steps or leaves the map, or an object would fail."""
        return bool(self.disturbed or self.holding or self.leaving) or any(
            node.failing for node in self.nodes
        )


def forecast_fleet(change: ForeseenCommit, views: Mapping[str, NodeView]) -> Forecast:
    """Return what the nodes of both maps would do; a node that is not in `views` has never reported."""
    before, after = reduce_maps(change.before, change.after)
    part = replace(change, before=before, after=after, whole=change.before)
    live = {name: view.status for name, view in views.items() if view.live and view.status}
    logins = serving_logins(live)
    return Forecast(
        change.revision,
        tuple(
            _forecast(name, part, views.get(name, NodeView()), logins) for name in sorted(change.after.nodes)
        ),
        tuple(_leaving(change, views)),
        tuple(_moved(change, live)),
    )


def _forecast(name: str, change: ForeseenCommit, view: NodeView, logins: Logins) -> NodeForecast:
    outlook = outlook_of(view, change.revision)
    made = forecast_node(name, change, outlook, view.status, logins)
    return replace(made, detail=describe_outlook(outlook, view.status))


def _leaving(change: ForeseenCommit, views: Mapping[str, NodeView]) -> Iterator[LeavingNode]:
    for name in sorted(change.before.nodes.keys() - change.after.nodes.keys()):
        status = views.get(name, NodeView()).status
        logins = () if status is None else status.logins
        yield LeavingNode(name, tuple(sorted({login.initiator for login in logins})))


def _moved(change: ForeseenCommit, statuses: Mapping[str, NodeStatus]) -> Iterator[MovedAddress]:
    left = left_addresses(change.before, change.after)
    former = defaultdict[LunAddress, list[Occupant]](list)
    for status in statuses.values():
        for each in status.former:
            address = LunAddress(each.target, each.initiator, each.lun)
            former[address].append(Occupant(each.name, each.serial))
    for address, occupant in sorted(new_addresses(change.before, change.after).items()):
        earlier = [left[address]] if address in left else former[address]
        names = [each.name for each in earlier if each.serial != occupant.serial]
        if names:
            yield MovedAddress(*address, names[0], occupant.name)
