"""Creating and removing targets, TPGs, ACLs, portals, enablement and the credentials of discovery."""

from collections.abc import Iterator

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.apply import portals
from lunmapd.lio.apply.attributes import write_tpg
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import KernelIndex, tpg_path
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
    """Create the object. Raises OSError, RtsError and KernelRefusedError."""
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
            portals.create_portal(item)
        case lio_objects.Enabled():
            _enable(item)
        case lio_objects.DiscoveryAuth():
            auth.write_discovery_credentials(item.credentials, enforced=True)


def delete_target_object(item: TargetObject, index: KernelIndex) -> None:
    """Remove the object, and none below it. Raises OSError, RtsError and KernelRefusedError."""
    match item:
        case lio_objects.Target():
            rts.remove_alone(rts.open_target(item.iqn, "lookup"))
        case lio_objects.Tpg():
            _delete_tpg(item)
        case lio_objects.NodeAcl():
            rts.remove_alone(rts.open_acl(item.iqn, item.tag, item.initiator, "lookup"))
        case lio_objects.Portal():
            portals.delete_portal(item, index)
        case lio_objects.Enabled():
            rts.open_tpg(item.iqn, item.tag, "lookup").enable = False
        case lio_objects.DiscoveryAuth():
            auth.write_discovery_credentials(lio_objects.NO_CREDENTIALS, enforced=False)


def _enable(item: lio_objects.Enabled) -> None:
    """Enable the TPG. The port id is written first: the kernel accepts it only while the TPG is disabled."""
    tpg = rts.open_tpg(item.iqn, item.tag, "lookup")
    if item.port_id:
        files.write_file(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/rtpi", str(item.port_id))
    try:
        tpg.enable = True
    except (OSError, rts.RtsError):
        for owner in _owners(item.port_id):
            problem = f"port id {item.port_id} is used by {owner} on this node: give one of the two another"
            raise KernelRefusedError(
                Reason.PORT_ID_TAKEN, f"{problem} ('port_id' in the target's nodes)"
            ) from None
        raise


def _owners(port_id: int) -> Iterator[str]:
    """Yield the enabled TPGs of any fabric that have the port id, which is unique among them.

    Source: core_tpg_enable in drivers/target/target_core_tpg.c.
    """
    for path in sorted(rts.ROOT.glob("*/*/tpgt_*")):
        text = files.read_file(f"{path}/rtpi")
        if text is not None and files.read_file(f"{path}/enable") == "1" and int(text, 16) == port_id:
            yield f"{path.parent.name}, TPG {path.name.removeprefix('tpgt_')},"


def _delete_tpg(item: lio_objects.Tpg) -> None:
    """Remove a disabled TPG. An enabled one is refused here, since the kernel would remove it too."""
    tpg = rts.open_tpg(item.iqn, item.tag, "lookup")
    if tpg.enable:
        raise KernelRefusedError(Reason.IN_USE, f"TPG {item.tag} of {item.iqn} is enabled")
    rts.remove_alone(tpg)
