#!/bin/bash
# Without a running iscsid, iscsiadm makes records that ignore iscsid.conf, and reports success.
#
# Expected: iscsiadm(8), FILES: iscsid.conf is "the configuration file read by iscsid and iscsiadm on
#   startup", so its settings are in every new record. A record is a file: it can be made while an image is
#   built.
# Seen: iscsiadm asks iscsid for the name of that file. Without an answer it uses its built-in defaults: no
#   CHAP, startup manual, 120 seconds. It prints "can not connect to iSCSI daemon (111)!", adds the record,
#   and exits with 0. The record keeps these values also when iscsid runs later: the host then logs in
#   without CHAP, or not at all.
# Versions: open-iscsi 2.1.8 (Debian 12) and 2.1.11 (Debian 13).
# To do: start iscsid before the first discovery or record, or delete the record and make it again.
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
# /etc is private here, and so are /run and the network, where a host's own iscsid would answer.
mount -t tmpfs tmpfs /etc && mkdir /etc/iscsi && mount -t tmpfs tmpfs /run && mkdir /run/lock
cat >/etc/iscsi/iscsid.conf <<'CONF'
node.startup = automatic
node.session.auth.authmethod = CHAP
node.session.auth.username = user
node.session.timeo.replacement_timeout = 15
CONF
program=$(find "$PWD" -path '*sbin/iscsiadm')
iscsiadm() { "$program" -m node -T iqn.2026-01.org.example:target "$@" 2>&1; }
status=0
iscsiadm -o new -p 192.0.2.1 >answer || status=$?
grep -o -e 'can not connect to iSCSI daemon' -e 'New iSCSI node' answer
echo "exit status $status"
iscsiadm -o show | grep -e '^node.startup' -e authmethod -e 'auth.username =' -e replacement_timeout
END
LD_LIBRARY_PATH="$(echo "$dir"/usr/lib/*-linux-gnu)" unshare --mount --net bash records >seen

cat >expected <<'END'
can not connect to iSCSI daemon
New iSCSI node
exit status 0
node.startup = manual
node.session.auth.authmethod = None
node.session.auth.username = <empty>
node.session.timeo.replacement_timeout = 120
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, in open-iscsi $(dpkg-deb -f open-iscsi_*.deb Version)"
