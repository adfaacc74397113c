"""The texts of crmsh and pcs themselves, of one configuration that pcs makes.

They run in an overlay of this machine's root, from Debian's packages, without a cluster.
"""

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from lunmapd.service.ctl.cli import ctl

SECONDS = 600
IQN = "iqn.2026-01.org.example:old"
H1, H2 = "iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2"
TEXTS = ("cib.xml", "crm.txt", "crm.xml", "pcs.txt", "pcs-resources.txt", "pcs-commands.txt")
_INSTALL = """
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    crmsh pcs pacemaker-cli-utils resource-agents
"""
_CONFIGURE = f"""
set -e
cd /given
cibadmin --empty >cib.xml
add() {{ pcs -f cib.xml resource create --force "$@"; }}
add vg0 ocf:heartbeat:LVM-activate vgname=vg0 vg_access_mode=system_id
add ip1 ocf:heartbeat:IPaddr2 ip=10.0.0.100 cidr_netmask=24 op monitor interval=10s
add t1 ocf:heartbeat:iSCSITarget implementation=lio-t iqn={IQN} portals=10.0.0.100:3260 \
    'allowed_initiators={H1} {H2}' incoming_username=joe 'incoming_password=se"cr et$x=y'
add lun1 ocf:heartbeat:iSCSILogicalUnit implementation=lio-t target_iqn={IQN} lun=1 \
    path=/dev/vg0/db1 scsi_sn=12345678 emulate_tpu=1
add lun2 ocf:heartbeat:iSCSILogicalUnit implementation=lio-t target_iqn={IQN} lun=2 \
    path=/dev/vg0/db2 'allowed_initiators={H1}'
pcs -f cib.xml resource group add iscsi vg0 ip1 t1 lun1 lun2
pcs -f cib.xml constraint location iscsi prefers n1=100
pcs -f cib.xml config >pcs.txt
pcs -f cib.xml resource config >pcs-resources.txt
pcs -f cib.xml resource config --output-format cmd >pcs-commands.txt
export CIB_file=/given/cib.xml
crm configure show >crm.txt
crm configure show xml >crm.xml
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with the texts."""
    base = tmp_path_factory.mktemp("cluster")
    given, root, upper = base / "given", base / "root", base / "upper"
    for directory in (given, root, upper):
        directory.mkdir()
    script = f"""
set -e
mount -t tmpfs tmpfs {upper}
mkdir {upper}/changes {upper}/work
mount -t overlay -o lowerdir=/,upperdir={upper}/changes,workdir={upper}/work overlay {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
mkdir {root}/given
mount --bind {given} {root}/given
chroot {root} sh -ec {shlex.quote(_INSTALL)} >/dev/null
chroot {root} sh -ec {shlex.quote(_CONFIGURE)}
"""
    subprocess.run(["unshare", "--mount", "sh", "-c", script], check=True, timeout=SECONDS)
    return given


def test_all_texts_of_a_cluster_are_one_map(texts: Path) -> None:
    """The CIB, the texts of both shells and crm's XML give the same map file."""
    maps = []
    for name in TEXTS:
        answer = CliRunner().invoke(ctl, ["convert", str(texts / name)])
        assert answer.exit_code == 6, answer.stderr
        assert "node node1: it alone serves the targets: rename it as needed" in answer.stderr
        maps.append(answer.stdout)
    assert "12345678" in maps[0]
    assert maps == [maps[0]] * len(TEXTS)
