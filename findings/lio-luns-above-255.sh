#!/bin/bash
# LIO reports LUNs above 255 in the address formats of other LUNs: 16384 as LUN 0, and 16640 as LUN 256.
#
# Expected: REPORT LUNS returns LUN 256 in the flat space addressing method, 4100 0000 0000 0000 (SAM-5,
#   4.7.7: the two upper bits of the first byte are the method; 00b is peripheral device addressing, in which
#   the other six are a bus).
# Seen: LIO takes any number that its 16 bits can hold, and writes it into the first two bytes as it is. LUN
#   256 becomes 0100..., which is bus 1, target 0; LUN 300 is bus 1, target 44. From 16384 on the upper bits
#   say flat space: LUN 16384 is reported as LUN 0, which the same list has too, and LUN 16640 as LUN 256.
#   Linux initiators show the numbers of LIO, since they read the two bytes in the same way; sg_luns, which
#   reads them as the standard does, and initiators that do so find other numbers.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: map LUNs as 0 to 255. Never use 16384 or more.
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
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
port=loopback/naa.6001405000000000/tpgt_1
mkdir -p $port && echo naa.6001405000000001 >$port/nexus
for lun in 0 255 256 300 16384 16640; do
    mkdir -p $port/lun/lun_$lun && ln -s "$PWD/$disk" $port/lun/lun_$lun/disk && echo "LUN $lun: taken"
done
cd /sys/bus/scsi/devices && echo "Linux:" && ls -d -v 0:0:1:*
echo "sg_luns:" && sg_luns --decode /dev/sg0 | sed -n '/00$/,$p' | sed 's/^ *//'
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
LUN 0: taken
LUN 255: taken
LUN 256: taken
LUN 300: taken
LUN 16384: taken
LUN 16640: taken
Linux:
0:0:1:0
0:0:1:255
0:0:1:256
0:0:1:300
0:0:1:16384
0:0:1:16640
sg_luns:
4100000000000000
Flat space addressing: lun=256
4000000000000000
Flat space addressing: lun=0
012c000000000000
Peripheral device addressing: bus_id=1, target=44
>>Second level addressing:
Peripheral device addressing: lun=0
0100000000000000
Peripheral device addressing: bus_id=1, target=0
>>Second level addressing:
Peripheral device addressing: lun=0
00ff000000000000
Peripheral device addressing: lun=255
0000000000000000
Peripheral device addressing: lun=0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
