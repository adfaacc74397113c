#!/bin/bash
# A host to which LIO maps a LUN read-only cannot register a reservation key, and so cannot read a LUN that
# is reserved for registrants.
#
# Expected: write protection refuses commands that write the medium (SBC-3). PERSISTENT RESERVE OUT writes
#   no block. With a reservation of the type "exclusive access, registrants only" (SPC-4, 5.13), each host
#   of a cluster registers its key and then reads, also one that is not to write.
# Seen: REGISTER ends with DATA PROTECT, write protected. LIO refuses every command with data for the
#   target when the mapping has write_protect (transport_lookup_cmd_lun in
#   drivers/target/target_core_device.c), so MODE SELECT and SET TARGET PORT GROUPS too. The host stays
#   without a key, and its reads are a reservation conflict.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13); sg3-utils 1.46 and 1.48, open-iscsi 2.1.8
#   and 2.1.11 as the host.
# To do: map the LUN read-write to each host that has to register, or reserve it with a type that everyone
#   may read: "write exclusive, registrants only" (5).
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
            sg3-utils=1.46-3 libsgutils2-1.46-2=1.46-3 \
            open-iscsi=2.1.8-1+deb12u1 libopeniscsiusr=2.1.8-1+deb12u1 libisns0=0.101-0.2+b1 ;;
    "debian 13")
        unpack user-mode-linux=6.12um1+b22 busybox-static=1:1.37.0-6+b9 \
            sg3-utils=1.48-3~deb13u1 libsgutils2-1.48=1.48-3~deb13u1 \
            open-iscsi=2.1.11-1+deb13u2 libopeniscsiusr=2.1.11-1+deb13u2 libisns0t64=0.101-1+deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:$D/sbin:$D/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt && mount -t devtmpfs dev /dev
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod iscsi_target_mod iscsi_tcp tcm_loop sd_mod sg; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
mkdir -p /mnt/db/pr /mnt/etc/iscsi /mnt/run/lock/iscsi && echo /mnt/db >dbroot
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
target=iqn.2026-01.org.example:target host=iqn.2026-01.org.example:host
tpg=iscsi/$target/tpgt_1
mkdir -p $tpg/np/127.0.0.1:3260 $tpg/lun/lun_0 && ln -s "$PWD/$disk" $tpg/lun/lun_0/disk
mkdir -p $tpg/acls/$host/lun_0 && ln -s "$PWD/$tpg/lun/lun_0" $tpg/acls/$host/lun_0/disk
echo 0 >$tpg/attrib/authentication && echo 1 >$tpg/enable
busybox ip link set lo up

cp /etc/passwd /etc/group /etc/nsswitch.conf /mnt/etc/
cp "$D/etc/iscsi/iscsid.conf" /mnt/etc/iscsi/ && echo "InitiatorName=$host" >/mnt/etc/iscsi/initiatorname.iscsi
mount --bind /mnt/etc /etc && mount --bind /mnt/run /run && mount -t tmpfs tmpfs /var/lib
iscsid -f >/mnt/log 2>&1 &
until busybox grep -q ISCSIADM_ABSTRACT /proc/net/unix; do sleep 1; done
iscsiadm -m node -T $target -p 127.0.0.1 -o new >/dev/null

port=loopback/naa.6001405000000000/tpgt_1
mkdir -p $port && echo naa.6001405000000001 >$port/nexus
mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
echo 1 >$tpg/acls/$host/lun_0/write_protect
iscsiadm -m node -T $target --login >/dev/null 2>&1
until set -- /sys/class/scsi_disk/*:0 && [ $# = 2 ]; do sleep 1; done
for disk; do
    sg=/dev/$(busybox ls "$disk/device/scsi_generic")
    sg_raw $sg 00 00 00 00 00 00 >/dev/null 2>&1  # takes the unit attention
    case $(sg_modes -6 -p 0xa $sg) in *WP=1*) reader=$sg ;; *) writer=$sg ;; esac
done
# The exit statuses of sg3_utils(8): 24 is a reservation conflict, 7 data protect.
run() { "${@:2}" >/dev/null 2>&1; echo "$1: exit status $?"; }
run "the host reads" sg_raw -r 512 $reader 28 00 00 00 00 00 00 00 01 00
run "another registers" sg_persist --out --register --param-sark=0xabc $writer
run "another reserves" sg_persist --out --reserve --param-rk=0xabc --prout-type=6 $writer
run "the host reads" sg_raw -r 512 $reader 28 00 00 00 00 00 00 00 01 00
run "the host registers" sg_persist --out --register --param-sark=0xdef $reader
echo 0 >$tpg/acls/$host/lun_0/write_protect
run "with read-write, it registers" sg_persist --out --register --param-sark=0xdef $reader
run "the host reads" sg_raw -r 512 $reader 28 00 00 00 00 00 00 00 01 00
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
the host reads: exit status 0
another registers: exit status 0
another reserves: exit status 0
the host reads: exit status 24
the host registers: exit status 7
with read-write, it registers: exit status 0
the host reads: exit status 0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
