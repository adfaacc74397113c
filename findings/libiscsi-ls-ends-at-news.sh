#!/bin/bash
# iscsi-ls --show-luns ends at the first LUN that was mapped before another one.
#
# Expected: the list of all LUNs. A unit attention is news, not a failure: the initiator repeats the command
#   (SAM-5, 5.14). iscsi-ls(1) names no state in which it lists less.
# Seen: each LUN that LIO maps to an initiator gives all its other LUNs the unit attention "reported LUNs data
#   has changed". iscsi-ls repeats TEST UNIT READY after "power on or reset" alone. At this one it prints an
#   error, and ends with the exit status 10 without the LUNs that follow. It has fetched the unit attention of
#   one LUN, so with N LUNs it takes N runs until one succeeds.
# Versions: libiscsi 1.19 (Debian 12) and 1.20 (Debian 13), on Linux 6.1.176 and 6.12.113.
# To do: read the LUNs by REPORT LUNS (iscsi_reportluns_sync), or repeat iscsi-ls while it ends with 10.
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
mkdir -p $tpg/np/127.0.0.1:3260 $tpg/lun/lun_0 $tpg/acls/$host
ln -s "$PWD/core/rd_mcp_0/disk" $tpg/lun/lun_0/disk
for lun in 0 1 2; do
    mkdir $tpg/acls/$host/lun_$lun && ln -s "$PWD/$tpg/lun/lun_0" $tpg/acls/$host/lun_$lun/disk
done
echo 0 >$tpg/attrib/authentication && echo 1 >$tpg/enable
for run in 1 2 3; do
    echo "run $run:"
    iscsi-ls -i $host --show-luns iscsi://127.0.0.1 2>&1 | sed -e "/Target:/d" -e "s,(null),UNKNOWN,"
    echo "exit status ${PIPESTATUS[0]}"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
run 1:
TESTUNITREADY failed with SENSE KEY:UNIT_ATTENTION(6) ASCQ:UNKNOWN(0x3f0e)
Lun:2    Type:DIRECT_ACCESS (Size:1023k)
exit status 10
run 2:
TESTUNITREADY failed with SENSE KEY:UNIT_ATTENTION(6) ASCQ:UNKNOWN(0x3f0e)
Lun:2    Type:DIRECT_ACCESS (Size:1023k)
Lun:1    Type:DIRECT_ACCESS (Size:1023k)
exit status 10
run 3:
Lun:2    Type:DIRECT_ACCESS (Size:1023k)
Lun:1    Type:DIRECT_ACCESS (Size:1023k)
Lun:0    Type:DIRECT_ACCESS (Size:1023k)
exit status 0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
