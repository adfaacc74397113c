#!/bin/bash
# Switching LIO's demo mode on and off again does not restore the TPG: cache_dynamic_acls stays at 1.
#
# Expected: generate_node_acls is one attribute; writing 1 and then 0 leaves everything as before.
# Seen: writing 1 also sets cache_dynamic_acls (iscsit_ta_generate_node_acls in
#   drivers/target/iscsi/iscsi_target_tpg.c), and writing 0 does not take that back. targetcli saves it, so
#   it comes back at each boot, and whoever compares the TPG with one that never was in demo mode finds a
#   difference that nobody made.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: after demo mode write 0 to both, first generate_node_acls.
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
        unpack user-mode-linux=6.1um4+b13 busybox-static=1:1.35.0-4+deb12u1+b1 ;;
    "debian 13")
        unpack user-mode-linux=6.12um1+b22 busybox-static=1:1.37.0-6+b9 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod iscsi_target_mod; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
tpg=iscsi/iqn.2026-01.org.example:target/tpgt_1
mkdir -p $tpg && cd $tpg/attrib
show() {
    echo "$1: generate_node_acls $(cat generate_node_acls), cache_dynamic_acls $(cat cache_dynamic_acls)"
}
show new
echo 1 >generate_node_acls && show on
echo 0 >generate_node_acls && show off
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
new: generate_node_acls 0, cache_dynamic_acls 0
on: generate_node_acls 1, cache_dynamic_acls 1
off: generate_node_acls 0, cache_dynamic_acls 1
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
