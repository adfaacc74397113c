#!/bin/bash
# LIO can export more blocks than the device behind it has, when block_size is larger than the device's.
#
# Expected: a device of 32769 sectors of 512 bytes with the attribute block_size 4096 has 4096 whole blocks;
#   the last sector does not fill one and is left out.
# Seen: READ CAPACITY counts 4097 blocks, 3584 bytes more than the device has: iblock converts the number of
#   the last block, not that of the blocks (iblock_get_blocks in drivers/target/target_core_iblock.c).
#   Reading the last block ends with NOT READY and an I/O error. The end of a disk is where the second GPT,
#   md and LVM keep their metadata.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: set block_size to that of the device, or make the device a multiple of block_size long.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial out

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12")
        unpack user-mode-linux=6.1um4+b13 busybox-static=1:1.35.0-4+deb12u1+b1 \
            sg3-utils=1.46-3 libsgutils2-1.46-2=1.46-3 ;;
    "debian 13")
        unpack user-mode-linux=6.12um1+b22 busybox-static=1:1.37.0-6+b9 \
            sg3-utils=1.48-3~deb13u1 libsgutils2-1.48=1.48-3~deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod target_core_iblock tcm_loop sd_mod sg loop; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
truncate --size=$((32769 * 512)) /mnt/file && busybox losetup /dev/loop0 /mnt/file
mkdir -p core/iblock_0/disk && echo udev_path=/dev/loop0 >core/iblock_0/disk/control
echo 1 >core/iblock_0/disk/enable && echo 4096 >core/iblock_0/disk/attrib/block_size
port=loopback/naa.6001405000000001/tpgt_1
mkdir -p $port/lun && echo naa.6001405000000002 >$port/nexus
mkdir $port/lun/lun_0 && ln -s "$PWD/core/iblock_0/disk" $port/lun/lun_0/disk
echo "device: $(blockdev --getsize64 /dev/loop0) bytes, LUN: $(blockdev --getsize64 /dev/sda) bytes"
for block in 4095 4096; do
    dd if=/dev/sda of=/dev/null bs=4096 count=1 skip=$block iflag=direct status=none &&
        echo "block $block: read"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
device: 16777728 bytes, LUN: 16781312 bytes
block 4095: read
dd: error reading '/dev/sda': Input/output error
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
