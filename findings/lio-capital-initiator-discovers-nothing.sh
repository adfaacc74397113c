#!/bin/bash
# An initiator with a capital letter in its name can log in to LIO, and discovery tells it that there is no
# target.
#
# Expected: names of iSCSI are compared in lower case (RFC 3722 maps them), at discovery as at login.
# Seen: with the attribute demo_mode_discovery 0, LIO lists a target only to initiators that have an ACL.
#   There it compares the name as it was sent (target_tpg_has_node_acl, drivers/target/target_core_tpg.c),
#   but a login lowers it first. An ACL cannot be made with capitals by rtslib or targetcli, which lower it
#   too. So "iscsi-ls" prints nothing, while a login by name works: an admin looks for a missing ACL or a
#   firewall.
# Versions: Linux 6.1.176 with libiscsi 1.19.0 (Debian 12), Linux 6.12.113 with libiscsi 1.20.0 (Debian 13).
# To do: write the initiator's name in lower case on the host (/etc/iscsi/initiatorname.iscsi).
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
            libiscsi-bin=1.19.0-3 libiscsi7=1.19.0-3 libibverbs1=44.0-2 librdmacm1=44.0-2 \
            libnl-3-200=3.7.0-0.2+b1 libnl-route-3-200=3.7.0-0.2+b1 ;;
    "debian 13")
        unpack user-mode-linux=6.12um1+b22 busybox-static=1:1.37.0-6+b9 \
            libiscsi-bin=1.20.0-4 libiscsi7=1.20.0-4 libibverbs1=56.1-1 librdmacm1t64=56.1-1 \
            libnl-3-200=3.7.0-2 libnl-route-3-200=3.7.0-2 ;;
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
busybox ip link set lo up
mkdir -p core/rd_mcp_0/disk && echo rd_pages=256 >core/rd_mcp_0/disk/control
echo 1 >core/rd_mcp_0/disk/enable
name=iqn.2026-01.org.example:target host=iqn.2026-01.org.example:host
tpg=iscsi/$name/tpgt_1
mkdir -p $tpg/np/127.0.0.1:3260 $tpg/lun/lun_0 $tpg/acls/$host/lun_0
ln -s "$PWD/core/rd_mcp_0/disk" $tpg/lun/lun_0/disk && ln -s "$PWD/$tpg/lun/lun_0" $tpg/acls/$host/lun_0/disk
echo 0 >$tpg/attrib/authentication && echo 0 >$tpg/attrib/demo_mode_discovery && echo 1 >$tpg/enable
for initiator in iqn.2026-01.org.example:host iqn.2026-01.org.example:Host; do
    found=$(iscsi-ls -i $initiator iscsi://127.0.0.1 | grep -c Target)
    login=$(iscsi-inq -i $initiator iscsi://127.0.0.1/$name/0 | grep -o CONNECTED)
    echo "$initiator: discovery $found targets, login $login"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
iqn.2026-01.org.example:host: discovery 1 targets, login CONNECTED
iqn.2026-01.org.example:Host: discovery 0 targets, login CONNECTED
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
