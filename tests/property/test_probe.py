"""What a probe is promised is what nodes make, and no data break its parsers."""

from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.lunmap import CLOSED, Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.node.projection.project_target import is_always_listed
from lunmapd.core.probe import scsi
from lunmapd.core.probe.promise import PromisedPortal, promised_portals
from lunmapd.core.probe.result import probe_result
from support.probing import kept
from support.strategies import INITIATORS, NODES, lunmaps


def at_node(lunmap: Lunmap, initiator: str, node: str) -> list[PromisedPortal]:
    """Return the promised portals of a node."""
    return [item for item in promised_portals(lunmap, initiator) if item.node == node]


@given(lunmaps(), st.sampled_from(INITIATORS), st.sampled_from(NODES))
def test_promised_luns_are_those_that_a_node_maps(lunmap: Lunmap, initiator: str, node: str) -> None:
    """Number, Lun, access, ALUA state and group of each promised LUN are those of the node's objects."""
    objects = project_map(lunmap, node)
    mapped = {
        (item.iqn, item.lun): item
        for item in objects.values()
        if isinstance(item, lio_objects.MappedLun) and item.initiator == initiator
    }
    promised = [
        (portal.portal, target, number, lun)
        for portal in at_node(lunmap, initiator, node)
        for target, shown in portal.targets.items()
        for number, lun in shown.luns.items()
    ]
    for portal, target, number, lun in promised:
        item = mapped[target, number]
        assert (lun.lun, lun.read_only) == (item.storage_object, item.write_protect)
        storage = objects["storage_object", lun.lun]
        assert isinstance(storage, lio_objects.StorageObject)
        if lun.state is not None:
            own = storage.alua if _group_at(objects, target, portal, lun.lun) else None
            expected = own or Alua(0, "optimized")
            assert Alua(lun.group, lun.state.value, lun.preferred) == expected


def _group_at(objects: lio_objects.DesiredObjects, target: str, portal: str, lun: str) -> int:
    """Return the target port group of a Lun in the TPG that serves a target through a portal."""
    (tag,) = (
        item.tag
        for item in objects.values()
        if isinstance(item, lio_objects.Portal)
        and (item.iqn, item.address) == (target, portal)
        and ("lun", target, item.tag, lun) in objects
    )
    item = objects["lun", target, tag, lun]
    assert isinstance(item, lio_objects.TpgLun)
    return item.group


@given(lunmaps(), st.sampled_from(INITIATORS), st.sampled_from(NODES))
def test_promised_listings_are_those_that_a_node_gives(lunmap: Lunmap, initiator: str, node: str) -> None:
    """Discovery lists the portals of enabled and of remote TPGs with an ACL of the initiator."""
    objects = project_map(lunmap, node)
    acls = {(acl.iqn, acl.tag) for acl in _acls(objects, initiator)}
    remote = {
        (i.iqn, i.tag) for i in objects.values() if isinstance(i, lio_objects.Tpg) and is_always_listed(i)
    }
    enabled = {(i.iqn, i.tag) for i in objects.values() if isinstance(i, lio_objects.Enabled)}
    listed: dict[str, set[str]] = {}
    for item in objects.values():
        if isinstance(item, lio_objects.Portal) and (item.iqn, item.tag) in acls & (remote | enabled):
            listed.setdefault(item.iqn, set()).add(f"{item.address},{item.tag}")
    for portal in at_node(lunmap, initiator, node):
        assert {target: set(portals) for target, portals in portal.listed.items() if portals} == listed


def _acls(objects: lio_objects.DesiredObjects, initiator: str) -> Iterator[lio_objects.NodeAcl]:
    for item in objects.values():
        if isinstance(item, lio_objects.NodeAcl) and item.initiator == initiator:
            yield item


@given(lunmaps(), st.sampled_from(INITIATORS))
def test_a_kept_promise_has_no_finding(lunmap: Lunmap, initiator: str) -> None:
    """If every portal answers as promised, nothing is found, and exactly the intended paths serve."""
    result = probe_result((item, kept(item)) for item in promised_portals(lunmap, initiator))
    assert result.findings == ()
    assert all(path.serves == path.is_intended for path in result.paths)
    assert all(path.promised.state in CLOSED or not path.active for path in result.paths if not path.serves)
    assert all(lun.serving == lun.intended for lun in result.luns)


@given(
    st.sampled_from(
        [
            scsi.parse_inquiry,
            scsi.parse_unit_serial,
            scsi.parse_device_id,
            scsi.parse_capacity,
            scsi.parse_port_groups,
            scsi.parse_luns,
            scsi.is_write_protected,
        ]
    ),
    st.binary(min_size=36, max_size=300),
)
def test_no_data_break_a_parser(parse: Callable[[bytes], object], data: bytes) -> None:
    """Any data are parsed, or refused as malformed."""
    try:
        parse(data)
    except scsi.MalformedDataError as error:
        assert str(error)
