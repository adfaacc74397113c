"""Making and removing targets, TPGs with their ACLs, portals and state, and what discovery asks for."""

from collections.abc import Iterator

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.apply.attributes import write_tpg
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.observe import auth

TargetObject = (
    lio_objects.Target
    | lio_objects.Tpg
    | lio_objects.NodeAcl
    | lio_objects.Portal
    | lio_objects.Enabled
    | lio_objects.DiscoveryAuth
)


def create_target_object(item: TargetObject) -> None:
    """Make the object."""
    match item:
        case lio_objects.Target():
            rts.open_target(item.iqn, "create")
        case lio_objects.Tpg():
            rts.open_tpg(item.iqn, item.tag, "create")
            write_tpg(item)
        case lio_objects.NodeAcl():
            rts.open_acl(item.iqn, item.tag, item.initiator, "create")
            if item.credentials != lio_objects.NO_CREDENTIALS:
                auth.write_acl_credentials(item)
        case lio_objects.Portal():
            _create_portal(item)
        case lio_objects.Enabled():
            _enable(item)
        case lio_objects.DiscoveryAuth():
            auth.write_discovery_credentials(item.credentials, enforced=True)


def delete_target_object(item: TargetObject) -> None:
    """Remove the object, and nothing below it."""
    match item:
        case lio_objects.Target():
            rts.remove_alone(rts.open_target(item.iqn, "lookup"))
        case lio_objects.Tpg():
            _delete_tpg(item)
        case lio_objects.NodeAcl():
            rts.remove_alone(rts.open_acl(item.iqn, item.tag, item.initiator, "lookup"))
        case lio_objects.Portal():
            _probe(item)
            rts.remove_alone(rts.open_portal(item, "lookup"))
        case lio_objects.Enabled():
            rts.open_tpg(item.iqn, item.tag, "lookup").enable = False
        case lio_objects.DiscoveryAuth():
            auth.write_discovery_credentials(lio_objects.NO_CREDENTIALS, enforced=False)


def _enable(item: lio_objects.Enabled) -> None:
    """Open the TPG, first with its port id: the kernel takes that only while disabled."""
    tpg = rts.open_tpg(item.iqn, item.tag, "lookup")
    if item.port_id:
        files.write_file(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/rtpi", str(item.port_id))
    try:
        tpg.enable = True
    except (OSError, rts.RtsError):
        for owner in _owners(item.port_id):
            sentence = f"port id {item.port_id} is that of {owner} on this node: give one of the two another"
            raise KernelRefusedError(
                Reason.PORT_ID_TAKEN, f"{sentence} ('port_id' in the target's nodes)"
            ) from None
        raise


def _owners(port_id: int) -> Iterator[str]:
    """Yield the enabled TPGs, of whatever fabric, that have a port id: the kernel takes it once (target_core_tpg.c, core_tpg_enable)."""
    for path in sorted(rts.ROOT.glob("*/*/tpgt_*")):
        told = files.read_file(f"{path}/rtpi")
        if told is not None and files.read_file(f"{path}/enable") == "1" and int(told, 16) == port_id:
            yield f"{path.parent.name}, TPG {path.name.removeprefix('tpgt_')},"


def _delete_tpg(item: lio_objects.Tpg) -> None:
    """Remove a disabled TPG; the kernel would remove an enabled one too."""
    tpg = rts.open_tpg(item.iqn, item.tag, "lookup")
    if tpg.enable:
        raise KernelRefusedError(Reason.IN_USE, f"TPG {item.tag} of {item.iqn} is enabled")
    rts.remove_alone(tpg)


def _create_portal(item: lio_objects.Portal) -> None:
    _probe(item)
    portal = rts.open_portal(item, "create")
    if item.iser:
        portal.iser = True


def _probe(item: lio_objects.Portal) -> None:
    """Wait here, where a kill helps, for a TPG that is busy closing sessions.

    mkdir of a portal would wait for the same lock while it holds that of all of configfs' targets.
    """
    files.read_file(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/param/TargetAlias")
