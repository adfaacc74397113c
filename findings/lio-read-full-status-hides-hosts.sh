#!/bin/bash
# LIO's READ FULL STATUS of persistent reservations counts only the hosts that fit into the answer.
#
# Expected: SPC-4, READ FULL STATUS: ADDITIONAL LENGTH is the length of the whole list, and does not depend
#   on the allocation length. So a program asks for the first eight bytes, learns how much there is, and
#   asks again; and a program that gets a part knows it.
# Seen: with eight bytes READ FULL STATUS returns the length 0 where three hosts are registered, and with
#   room for one host that of one. READ KEYS returns the right length. sg_persist shows what fits, and
#   exits with 0. Its default is 8,192 bytes: by calculation about 100 paths of hosts with names of 30
#   letters, and 30 with the longest names.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: ask for 65,535 bytes (sg_persist --maxlen=65535), and compare the number of keys with READ KEYS.
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
mkdir -p /mnt/db/pr && echo /mnt/db >dbroot
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
for number in 0 1 2; do
    port=loopback/naa.600140500000000$number/tpgt_1
    mkdir -p $port && echo naa.600140500000001$number >$port/nexus
    mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
done
for number in 0 1 2; do sg_raw /dev/sg$number 00 00 00 00 00 00; done >/dev/null 2>&1  # takes unit attentions

for number in 0 1 2; do
    sg_persist --out --register --param-sark=0xabc$number /dev/sg$number >/dev/null
done
length() {
    sg_raw -r "$2" /dev/sg0 5e 0"$1" 00 00 00 00 00 00 "$(printf %02x "$2")" 00 2>&1 |
        busybox awk '/^ 00/ {print $6 $7 $8 $9}'
}
for bytes in 8 60 200; do
    echo "allocation length $bytes: READ KEYS $(length 0 $bytes), READ FULL STATUS $(length 3 $bytes)"
done
for bytes in 60 8192; do
    echo "sg_persist --maxlen=$bytes:" $(sg_persist --in --read-full-status --maxlen=$bytes /dev/sg0 2>&1 |
        busybox grep -o "Key=.*"; echo "exit status ${PIPESTATUS[0]}")
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
allocation length 8: READ KEYS 00000018, READ FULL STATUS 00000000
allocation length 60: READ KEYS 00000018, READ FULL STATUS 00000030
allocation length 200: READ KEYS 00000018, READ FULL STATUS 00000090
sg_persist --maxlen=60: Key=0xabc0 exit status 0
sg_persist --maxlen=8192: Key=0xabc0 Key=0xabc1 Key=0xabc2 exit status 0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
