"""The least a storage node needs to export one volume: bare writes to configfs."""

from lab import Initiator, Machine

TARGET = "iqn.2026-01.org.example:volume"
_SCRIPT = """
set -e
C=/sys/kernel/config/target
mkdir -p $C/core/iblock_0/volume
echo udev_path=/dev/disk/lab/volume >$C/core/iblock_0/volume/control
echo 0123456789abcdef0123456789abcdef >$C/core/iblock_0/volume/wwn/vpd_unit_serial
echo 1 >$C/core/iblock_0/volume/enable
T=$C/iscsi/$1/tpgt_$2
mkdir -p $T
mkdir -p $T/np/$3:3260 $T/lun/lun_0
ln -s $C/core/iblock_0/volume $T/lun/lun_0/volume
mkdir -p $T/acls/$4/lun_0
ln -s $T/lun/lun_0 $T/acls/$4/lun_0/volume
echo 0 >$T/attrib/authentication
echo 1 >$T/enable
"""


def export(node: Machine, tag: int, initiator: Initiator) -> None:
    """Export the disk `volume` of `node` to `initiator` as LUN 0 of target portal group `tag`."""
    node.run(["sh", "-c", _SCRIPT, "sh", TARGET, str(tag), node.address, initiator.iqn])
