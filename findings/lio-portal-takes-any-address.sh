#!/bin/bash
# LIO makes a portal on an address that the node does not have, and calls a port that is in use an invalid
# argument.
#
# Expected: bind(2): EADDRNOTAVAIL for an address that no interface has, EADDRINUSE for a port that another
#   socket listens on. So a typing error in a portal is refused, and a conflict is named.
# Seen: LIO binds with IP_FREEBIND (iscsit_setup_np in drivers/target/iscsi/iscsi_target_login.c), so mkdir
#   of a portal with any address succeeds, it listens, and discovery hands it out to initiators, which time
#   out. A port of another program, or [::] beside 0.0.0.0, is "Invalid argument"; the number of the real
#   error is in the kernel's log only (kernel_bind() failed: -98).
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: compare portals with the node's addresses (ip address), and read "Invalid argument" of a portal as
#   "in use by another program or portal" first (ss -ltn).
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
for name in configfs target_core_mod iscsi_target_mod ipv6; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
busybox ip link set lo up
tpg=iscsi/iqn.2026-01.org.example:target/tpgt_1
mkdir -p $tpg
busybox nc -l -p 3261 </dev/null >/dev/null &
while ! grep -q :0CBD /proc/net/tcp*; do sleep 0.1; done
for portal in 192.0.2.99:3260 127.0.0.1:3261 0.0.0.0:3262 '[::]:3262'; do
    mkdir "$tpg/np/$portal" 2>/mnt/error && echo "made" >/mnt/error
    echo "$portal: $(sed 's/.*: //' /mnt/error)"
done
grep -q "630200C0:0CBC 00000000:0000 0A" /proc/net/tcp && echo "192.0.2.99:3260: listens"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
192.0.2.99:3260: made
127.0.0.1:3261: Invalid argument
0.0.0.0:3262: made
[::]:3262: Invalid argument
192.0.2.99:3260: listens
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
