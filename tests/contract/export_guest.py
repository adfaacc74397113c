"""Runs in the machine: exports a map, lets rtslib restore the file, and adopts what runs then."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace
from rtslib_fb import RTSRoot

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.export import export_saveconfig
from lunmapd.core.base.lunmap import Chap, Target
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault, keyring
from lunmapd.lio.observe.observe_foreign import observe_foreign

ROOT = Path("/sys/kernel/config/target")
IQN, HOST = "iqn.2020-01.org.example:theirs", "iqn.2020-01.org.example:host"
FILE = Path("/srv/exported")
MAP = f"""
luns:
  file:
    backing: {{type: fileio, path: {FILE}}}
    size: 1MiB
    serial: 1A2B-3C4D
    product: file
    attributes: {{block_size: 4096, emulate_tpu: 1}}
    maps:
    - {{target: "{IQN}", lun: 0, initiator: "{HOST}"}}
  disk:
    backing: {{type: block, path: /dev/disk/lab/d1}}
    serial: 1b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e
    shared: {{reservations: "off", compare_and_write: per-node}}
    maps:
    - {{target: "{IQN}", lun: 9, initiator: "{HOST}", access: ro}}
  ram:
    backing: {{type: ramdisk, volatile: true}}
    size: 1MiB
    serial: 2b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e
    maps:
    - {{target: "{IQN}", lun: 300, initiator: "{HOST}"}}
targets:
  "{IQN}":
    nodes: {{n1: {{port_id: 7}}}}
    authentication: mutual-chap
    attributes: {{login_timeout: 20}}
    parameters: {{MaxConnections: "4"}}
initiators:
  "{HOST}": {{chap: {{user: bob, password: x}}, mutual_chap: {{user: san, password: x}}}}
groups: {{}}
nodes:
  n1:
    tpg_tag: 7
    portals: ["127.0.0.1:3260", "[::1]:3261"]
    discovery: {{chap: {{user: d, password: x}}}}
"""
VAULT = Vault("c", keyring([b"k" * 32]))


def sealed(path: str, field: str, chap: Chap) -> Chap:
    """Return the credentials with a password of their user."""
    return Chap(chap.user, VAULT.seal(path, field, Secret(f"password of {chap.user}"), bytes(NONCE_BYTES)))


FILE.write_bytes(bytes(1 << 20))
lunmap = change_credentials(parse_map(MAP)[0], sealed)
objects, failures = add_credentials(project_map(lunmap, "n1"), {}, lunmap, "n1", VAULT)
made = export_saveconfig(objects)
errors = RTSRoot().restore(json.loads(json.dumps(made.content)), clear_existing=True)
found = observe_foreign(ROOT)
again = adopt(found, "n1")
# The limits of the device are in an adopted map, since the map does not know the device.
luns = dict(again.lunmap.luns)
luns["disk"] = replace(luns["disk"], attributes={})
blank = change_credentials(lunmap, lambda _path, _field, chap: Chap(chap.user))


def without_port_ids(targets: Mapping[str, Target]) -> dict[str, Target]:
    """Return the targets without what a file of targetcli lacks."""
    return {
        iqn: replace(item, nodes={"n1": replace(item.nodes["n1"], port_id=0)})
        for iqn, item in targets.items()
    }


shown = {
    "failures": len(failures),
    "losses": list(made.losses),
    "errors": list(errors),
    "refused": dict(again.refused),
    "notes": list(again.notes),
    "luns": [name for name, lun in blank.luns.items() if lun != luns.get(name)],
    "others": [
        name for name in ("initiators", "nodes") if getattr(blank, name) != getattr(again.lunmap, name)
    ],
    "targets": without_port_ids(blank.targets) == without_port_ids(again.lunmap.targets),
    "passwords": sorted({acl.credentials.password.text for tpg in found.tpgs for acl in tpg.acls}),
}
RTSRoot().clear_existing(confirm=True)
(ROOT / "iscsi/discovery_auth/enforce_discovery_auth").write_text("0")
sys.stdout.write(json.dumps(shown))
