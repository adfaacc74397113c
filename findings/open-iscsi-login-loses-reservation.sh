#!/bin/bash
# A host that logs out and in again no longer owns its persistent reservation, and its RELEASE succeeds
# without releasing it.
#
# Expected: SPC-4, 5.13: a registration and a reservation stay when the I_T nexus is lost, and are the
#   host's again when it comes back. RFC 3720, 9.1.1, and RFC 7143, 10.1.1 (conservative reuse of ISIDs):
#   an initiator uses an ISID again, since its name and the ISID are the initiator port that owns a
#   reservation.
# Seen: each login has the next ISID, which counts the sessions since the host booted. LIO keeps the key
#   and the reservation for the old one, which does not come back, so no session of the host is registered.
#   The host can register the same key again. Then the key is listed twice, and RELEASE is GOOD and changes
#   nothing, as for every registrant that does not hold the reservation. A lost connection is no such case:
#   iscsid comes back with the same ISID.
# Versions: open-iscsi 2.1.8 on Linux 6.1.176 (Debian 12), 2.1.11 on 6.12.113 (Debian 13); sg3-utils 1.46
#   and 1.48.
# To do: release and unregister before a logout. Afterwards register another key and preempt the old one.
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
for name in configfs target_core_mod iscsi_target_mod iscsi_tcp sd_mod sg; do
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
login() {
    iscsiadm -m node -T $target --login >/dev/null 2>&1
    until [ -e /sys/class/scsi_disk/*:0 ]; do sleep 1; done
    echo "login: $(busybox grep -o "ISID: [0-9a-fx ]*[0-9a-f]" $tpg/acls/$host/info)"
    sg=/dev/$(busybox ls /sys/class/scsi_disk/*/device/scsi_generic)
}
pr_out() { sg_persist --out "$@" $sg >/dev/null 2>&1; echo "$1: $?"; }
owners() {
    sg_raw $sg 00 00 00 00 00 00 >/dev/null 2>&1  # takes the unit attention of PREEMPT
    sg_persist --in -s $sg | busybox grep -o -e "Key=.*" -e "Reservation holder" -e "i,0x.*"
}
login
pr_out --register --param-sark=0xabc
pr_out --reserve --param-rk=0xabc --prout-type=5
owners
iscsiadm -m node -T $target --logout >/dev/null 2>&1
login
owners
pr_out --register --param-sark=0xabc
pr_out --release --param-rk=0xabc --prout-type=5
owners
pr_out --register --param-rk=0xabc --param-sark=0xdef
pr_out --preempt --param-rk=0xdef --param-sark=0xabc --prout-type=5
owners
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
login: ISID: 0x00 02 3d 00 00 01
--register: 0
--reserve: 0
Key=0xabc
Reservation holder
i,0x00023d000001
login: ISID: 0x00 02 3d 00 00 02
Key=0xabc
Reservation holder
i,0x00023d000001
--register: 0
--release: 0
Key=0xabc
Reservation holder
i,0x00023d000001
Key=0xabc
i,0x00023d000002
--register: 0
--preempt: 0
Key=0xdef
Reservation holder
i,0x00023d000002
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
