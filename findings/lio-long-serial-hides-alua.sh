#!/bin/bash
# A serial that LIO accepts can be so long that initiators no longer find the LUN's target port group.
#
# Expected: LIO takes serials of up to 253 characters (INQUIRY_VPD_SERIAL_LEN in target_core_base.h), so
#   every page that shows such a serial is well formed.
# Seen: the serial is part of the T10 vendor designator of VPD page 83h, whose length is one byte. With
#   vendor (8), product ("RAMDISK-MCP", 11) and two more bytes that byte wraps at a serial of 235.
#   Everything behind it in the page is lost: sg_vpd(8) finds no target port group, and so scsi_dh_alua and
#   multipath use the LUN without ALUA, whatever the state of its group. Nothing is logged.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: keep serials at 229 characters or below, which also fits a product of 16 letters. 32 are plenty.
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
for name in configfs target_core_mod tcm_loop sd_mod sg; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
number=0
for digits in 234 235; do
    disk=core/rd_mcp_$number/disk
    mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
    printf "%0${digits}d" 7 >$disk/wwn/vpd_unit_serial && echo "serial of $digits digits: taken"
    port=loopback/naa.600140500000000$number/tpgt_1
    mkdir -p $port/lun && echo naa.600140500000001$number >$port/nexus
    mkdir $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
    sg_vpd --page=di /dev/sg$number 2>&1 | grep -m 1 -o -e "Target port group:.*" -e "VPD page error"
    number=$((number + 1))
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
serial of 234 digits: taken
Target port group: 0x0
serial of 235 digits: taken
VPD page error
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
