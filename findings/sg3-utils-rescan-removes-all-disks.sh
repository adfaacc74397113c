#!/bin/bash
# "rescan-scsi-bus.sh -r" of Debian 12 removes every disk that works, also one that a program has open.
#
# Expected: rescan-scsi-bus.sh(8), --remove: enables removing of devices. The program prints that it will
#   "remove devices that have disappeared". Where none has disappeared, none is removed.
# Seen: it removes all three disks, and exits with 0. It looks for "Device_type=" in the answer of sg_inq,
#   which comes in the same package and writes "PDT=". So it takes each disk for "LU not available (PQual 3)".
#   The kernel removes a disk that is open or mounted, too: what has it open finds no bytes in it any more.
#   Without -r the program prints the same lines, and removes nothing.
# Versions: sg3-utils 1.46-3 (Debian 12), on Linux 6.1.176. 1.48 (Debian 13) removes none of the three.
# To do: never use -r there. Delete the device of a LUN that was unmapped by its name (echo 1
#   >/sys/block/sdX/device/delete). "iscsiadm -m session --rescan" finds the disks that were removed.
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
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt && mount -t devtmpfs dev /dev
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod tcm_loop overlay sd_mod sg; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
port=loopback/naa.6001405000000000/tpgt_1
mkdir -p $port && echo naa.6001405000000001 >$port/nexus
for number in 0 1 2; do
    disk=core/rd_mcp_$number/disk$number
    mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
    mkdir -p $port/lun/lun_$number && ln -s "$PWD/$disk" $port/lun/lun_$number/disk
done
mount -t overlay none -o lowerdir="$D/usr/bin:/usr/bin" /usr/bin  # where the program looks for the others
sleep 1
echo "disks:" $(busybox ls /sys/class/scsi_disk)
read_open() { echo "bytes of the open disk $1: $(busybox dd bs=512 count=1 <&9 2>/dev/null | busybox wc -c)"; }
exec 9</dev/sda
read_open before
rescan-scsi-bus.sh -r >/mnt/answer 2>&1
echo "exit status $?"
busybox grep -a -o -e "remove devices that.*" -e "sg[0-9] changed.*(PQual 3)" -e "^[0-9] device(s) removed" /mnt/answer
read_open after
echo "disks:" $(busybox ls /sys/class/scsi_disk)
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
disks: 0:0:1:0 0:0:1:1 0:0:1:2
bytes of the open disk before: 512
exit status 0
remove devices that have disappeared
sg0 changed: LU not available (PQual 3)
sg1 changed: LU not available (PQual 3)
sg2 changed: LU not available (PQual 3)
3 device(s) removed
bytes of the open disk after: 0
disks:
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
