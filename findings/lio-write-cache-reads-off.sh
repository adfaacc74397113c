#!/bin/bash
# LIO shows emulate_write_cache 0 for a block device whose LUN reports a write cache to every initiator.
#
# Expected: the attribute says whether the LUN has a volatile write cache. For a file-backed storage object
#   it does: 0 is MODE SENSE WCE=0.
# Seen: a block storage object (iblock) reports WCE=1 when its device has a write cache, the attribute stays
#   at 0, and 1 is refused (iblock_get_write_cache in drivers/target/target_core_iblock.c is asked instead).
#   So whoever audits configfs or saveconfig.json for write caches overlooks these LUNs.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: ask the device (/sys/block/NAME/queue/write_cache) or the LUN (sg_modes --page=8). Such a LUN is
#   safe with hosts that flush, as file systems do, and then the device must honour the flush.
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
for name in configfs target_core_mod target_core_iblock target_core_file tcm_loop sd_mod sg loop; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
truncate --size=1M /mnt/file /mnt/other && busybox losetup /dev/loop0 /mnt/file
mkdir -p core/iblock_0/disk && echo udev_path=/dev/loop0 >core/iblock_0/disk/control
mkdir -p core/fileio_1/disk && echo fd_dev_name=/mnt/other,fd_dev_size=1048576 >core/fileio_1/disk/control
for disk in iblock_0 fileio_1; do
    echo 1 >core/$disk/disk/enable
    port=loopback/naa.600140500000000${disk#*_}/tpgt_1
    mkdir -p $port/lun && echo naa.600140500000001${disk#*_} >$port/nexus
    mkdir $port/lun/lun_0 && ln -s "$PWD/core/$disk/disk" $port/lun/lun_0/disk
    byte=$(sg_modes --page=8 --raw /dev/sg${disk#*_} | tail -c 18 | od -An -tu1 -N1)
    wce=$((byte >> 2 & 1))
    echo "$disk: emulate_write_cache $(cat core/$disk/disk/attrib/emulate_write_cache), WCE of the LUN $wce"
done
echo "loop0: $(cat /sys/block/loop0/queue/write_cache)"
echo 1 2>&1 >core/iblock_0/disk/attrib/emulate_write_cache | grep -o "Invalid argument"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
iblock_0: emulate_write_cache 0, WCE of the LUN 1
fileio_1: emulate_write_cache 0, WCE of the LUN 0
loop0: write back
Invalid argument
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
