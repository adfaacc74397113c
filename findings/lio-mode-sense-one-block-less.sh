#!/bin/bash
# LIO's MODE SENSE returns one block less than its READ CAPACITY.
#
# Expected: SBC-3, 6.4.2 (short LBA mode parameter block descriptor): NUMBER OF LOGICAL BLOCKS is the number
#   of the blocks, so it is the address that READ CAPACITY returns plus one.
# Seen: the field is the last address itself. A disk of 2,048 blocks has 2,047 in MODE SENSE, and sg_format(8)
#   shows both one below the other.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: take the capacity from READ CAPACITY. A program that compares both, or copies a disk by the size in
#   the mode pages, loses the last block, where GPT has its second header.
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
mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
echo "MODE SENSE(10): blocks, length:"
sg_raw -r 255 /dev/sg0 5a 00 0a 00 00 00 00 00 ff 00 2>&1 |
    busybox awk '/^ 00/ {print $10 $11 $12 $13, $14 $15 $16 $17}'
echo "READ CAPACITY: blocks, length:"
sg_readcap --brief /dev/sg0
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
MODE SENSE(10): blocks, length:
000007ff 00000200
READ CAPACITY: blocks, length:
0x800 0x200
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
