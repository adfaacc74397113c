"""Making and removing targets, TPGs with their ACLs, portals and state, and what discovery asks for."""

from lunmapd.core import lio
from lunmapd.lio import auth, files, rts
from lunmapd.lio.places import tpg_path
from lunmapd.lio.refusal import RefusedError
from lunmapd.lio.settings import write_settings

Item = lio.Target | lio.Tpg | lio.NodeAcl | lio.Portal | lio.Enabled | lio.DiscoveryAuth


def create(item: Item) -> None:
    """Make the object."""
    match item:
        case lio.Target():
            rts.target(item.iqn, "create")
        case lio.Tpg():
            rts.tpg(item.iqn, item.tag, "create")
            write_settings(item)
        case lio.NodeAcl():
            rts.acl(item.iqn, item.tag, item.initiator, "create")
            if item.credentials != lio.NO_CREDENTIALS:
                auth.write_acl(item)
        case lio.Portal():
            _create_portal(item)
        case lio.Enabled():
            _enable(item)
        case lio.DiscoveryAuth():
            auth.write_discovery(item.credentials, enforced=True)


def delete(item: Item) -> None:
    """Remove the object, and nothing below it."""
    match item:
        case lio.Target():
            rts.remove(rts.target(item.iqn, "lookup"))
        case lio.Tpg():
            _delete_tpg(item)
        case lio.NodeAcl():
            rts.remove(rts.acl(item.iqn, item.tag, item.initiator, "lookup"))
        case lio.Portal():
            _probe(item)
            rts.remove(rts.portal(item, "lookup"))
        case lio.Enabled():
            rts.tpg(item.iqn, item.tag, "lookup").enable = False
        case lio.DiscoveryAuth():
            auth.write_discovery(lio.NO_CREDENTIALS, enforced=False)


def _enable(item: lio.Enabled) -> None:
    """Open the TPG, first with its port id: the kernel takes that only while disabled."""
    tpg = rts.tpg(item.iqn, item.tag, "lookup")
    if item.port_id:
        files.write(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/rtpi", str(item.port_id))
    tpg.enable = True


def _delete_tpg(item: lio.Tpg) -> None:
    """Remove a disabled TPG; the kernel would remove an enabled one too."""
    tpg = rts.tpg(item.iqn, item.tag, "lookup")
    if tpg.enable:
        raise RefusedError("InUse", f"TPG {item.tag} of {item.iqn} is enabled")
    rts.remove(tpg)


def _create_portal(item: lio.Portal) -> None:
    _probe(item)
    portal = rts.portal(item, "create")
    if item.iser:
        portal.iser = True


def _probe(item: lio.Portal) -> None:
    """Wait here, where a kill helps, for a TPG that is busy closing sessions.

    mkdir of a portal would wait for the same lock while it holds that of all of configfs' targets.
    """
    files.read(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/param/TargetAlias")
