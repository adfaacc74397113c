#!/bin/bash
# iscsiadm takes any text for a number: it keeps the digits at its beginning, else 0, and reports success.
#
# Expected: iscsiadm refuses a value that a setting cannot have, as it does where a setting is no number:
#   "unknown value format 'automatik' for parameter name 'node.startup'", exit status 7.
# Seen: replacement_timeout "2m" is 2 seconds. "soon" is 0, which fails I/O at once when a session is lost
#   (iscsid.conf). MaxBurstLength "256K" is 256 bytes, less than the 512 that RFC 7143 (13.13) allows. Each
#   update ends with exit status 0. Values in a deployment's templates often have such units.
# Versions: open-iscsi 2.1.8 (Debian 12) and 2.1.11 (Debian 13).
# To do: write plain seconds and bytes, and read the record back (iscsiadm -m node -T NAME -o show).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12")
        unpack open-iscsi=2.1.8-1+deb12u1 libopeniscsiusr=2.1.8-1+deb12u1 libisns0=0.101-0.2+b1 ;;
    "debian 13")
        unpack open-iscsi=2.1.11-1+deb13u2 libopeniscsiusr=2.1.11-1+deb13u2 \
            libisns0t64=0.101-1+deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >records <<'END'
# Records are files in /etc/iscsi, which is private here. No iscsid runs, so nothing logs in.
mount -t tmpfs tmpfs /etc && mkdir /etc/iscsi
program=$(find "$PWD" -path '*sbin/iscsiadm')
iscsiadm() { "$program" -m node -T iqn.2026-01.org.example:target "$@" 2>/dev/null; }
iscsiadm -o new -p 192.0.2.1 >/dev/null
update() {
    status=0
    iscsiadm -o update -n "$1" -v "$2" || status=$?
    echo "$2: exit status $status, $(iscsiadm -o show | grep -F "$1 =")"
}
update node.session.iscsi.InitialR2T perhaps
update node.session.timeo.replacement_timeout 2m
update node.session.timeo.replacement_timeout soon
update node.session.iscsi.MaxBurstLength 256K
END
LD_LIBRARY_PATH="$(echo "$dir"/usr/lib/*-linux-gnu)" unshare --mount bash records >seen

cat >expected <<'END'
perhaps: exit status 7, node.session.iscsi.InitialR2T = No
2m: exit status 0, node.session.timeo.replacement_timeout = 2
soon: exit status 0, node.session.timeo.replacement_timeout = 0
256K: exit status 0, node.session.iscsi.MaxBurstLength = 256
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, in open-iscsi $(dpkg-deb -f open-iscsi_*.deb Version)"
