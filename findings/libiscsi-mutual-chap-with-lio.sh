#!/bin/bash
# Whether libiscsi can log in to LIO with mutual CHAP depends on the length of the target's CHAP name.
#
# Expected: iscsi-inq with target_user and target_password (libiscsi's URL format, README) checks LIO's
#   answer to its own challenge and logs in, whatever the target's name is. open-iscsi does so with the same
#   target.
# Seen: a name of 3 to 5 letters fails, shorter and longer ones work. LIO's last answer has padding bytes
#   left over from the answer before, which was longer; RFC 7143 (11.1) only says that they should be zero.
#   libiscsi parses padding as data, finds no NUL there, and tells its user "Can not reconnect right now".
#   No secret was wrong.
# Versions: Linux 6.1.176 with libiscsi 1.19.0 (Debian 12), Linux 6.12.113 with libiscsi 1.20.0 (Debian 13).
# To do: for hosts with libiscsi (qemu's iscsi driver) choose a mutual user name of at least 6 letters.
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
cd $tpg/acls/$host/auth && printf user >userid && printf secretsecret >password
printf otherotherother >password_mutual
cd - >/dev/null && echo 1 >$tpg/attrib/authentication
echo 1 >$tpg/enable
for peer in no san san1 store target storage storage-one; do
    printf %s $peer >$tpg/acls/$host/auth/userid_mutual
    url="iscsi://user%secretsecret@127.0.0.1/$name/0?target_user=$peer&target_password=otherotherother"
    echo "$peer: $(iscsi-inq -i $host "$url" 2>&1 | grep -o -e "Can not reconnect right now" -e "CONNECTED")"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
no: CONNECTED
san: Can not reconnect right now
san1: Can not reconnect right now
store: Can not reconnect right now
target: CONNECTED
storage: CONNECTED
storage-one: CONNECTED
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
