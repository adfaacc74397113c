#!/bin/bash
# The parameter ErrorRecoveryLevel of a TPG of LIO has no effect: an attribute that the ACL copied decides.
#
# Expected: param/ErrorRecoveryLevel is the value that the target offers in a login, like every other key
#   below param (saveconfig.json "parameters"; targetcli "set parameter ErrorRecoveryLevel=").
# Seen: a login that asks for 2 gets default_erl of its ACL (drivers/target/iscsi/iscsi_target_login.c
#   overwrites the parameter with it). An ACL copies that from the TPG when it is made, so writing the TPG's
#   attribute changes nothing for initiators that have an ACL, and both files still show what was written.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: write default_erl before the ACLs are made, or the ACL's own attrib/default_erl; leave the
#   parameter.
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

cat >login.py <<'END'
import socket
import struct

PAIRS = {
    "InitiatorName": "iqn.2026-01.org.example:host",
    "TargetName": "iqn.2026-01.org.example:target",
    "SessionType": "Normal",
    "ErrorRecoveryLevel": "2",
}
text = "".join(f"{key}={value}\0" for key, value in PAIRS.items()).encode()
# A Login Request (RFC 7143, 11.12) from the operational stage to full feature.
isid, nothing = b"\x00\x02\x3d\x00\x00\x01", bytes(16)
head = struct.pack(">BBBBI6sHIHHII", 0x43, 0x87, 0, 0, len(text), isid, 0, 1, 0, 0, 1, 0) + nothing
with socket.create_connection(("127.0.0.1", 3260)) as connection:
    connection.sendall(head + text + bytes(-len(text) % 4))
    answer = connection.recv(4096)
print(next(key for key in answer[48:].decode().split("\0") if "ErrorRecoveryLevel" in key))
END

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
busybox ip link set lo up
tpg=iscsi/iqn.2026-01.org.example:target/tpgt_1
host=$tpg/acls/iqn.2026-01.org.example:host
mkdir -p $tpg/np/127.0.0.1:3260 $host && echo 0 >$tpg/attrib/authentication && echo 1 >$tpg/enable
try() {
    echo "$1: param $(cat $tpg/param/ErrorRecoveryLevel), TPG $(cat $tpg/attrib/default_erl)," \
        "ACL $(cat $host/attrib/default_erl): login $(python3 "$D/login.py")"
}
try "new"
echo 2 >$tpg/param/ErrorRecoveryLevel && try "parameter"
echo 2 >$tpg/attrib/default_erl && try "attribute"
rmdir $host && mkdir $host && try "ACL made anew"
echo 0 >$tpg/param/ErrorRecoveryLevel && try "parameter 0"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
new: param 0, TPG 0, ACL 0: login ErrorRecoveryLevel=0
parameter: param 2, TPG 0, ACL 0: login ErrorRecoveryLevel=0
attribute: param 2, TPG 2, ACL 0: login ErrorRecoveryLevel=0
ACL made anew: param 2, TPG 2, ACL 2: login ErrorRecoveryLevel=2
parameter 0: param 0, TPG 2, ACL 2: login ErrorRecoveryLevel=2
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
