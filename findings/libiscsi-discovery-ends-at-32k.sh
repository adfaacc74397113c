#!/bin/bash
# libiscsi finds no target at all at a LIO portal with more targets than fit into 32 KiB of SendTargets
# text.
#
# Expected: an answer that is longer than the initiator's MaxRecvDataSegmentLength comes in several Text
#   Responses with the C bit (RFC 7143, 11.11), and discovery reads all of them. open-iscsi does.
# Seen: libiscsi refuses the C bit ("unsupported flags in text reply 40") and returns nothing, so iscsi-ls
#   shows 0 targets where one target less gives all of them. The limit is in bytes: 124 targets with names
#   of 223 bytes and one portal are enough. (LIO in turn repeats names in such an answer.)
# Versions: Linux 6.1.176 with libiscsi 1.19.0 (Debian 12), Linux 6.12.113 with libiscsi 1.20.0 (Debian 13).
# To do: give qemu and other users of libiscsi the name of their target instead of discovery, or keep
#   targets apart by portals.
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
host=iqn.2026-01.org.example:host
long=$(printf 'n%.0s' {1..196})
count=0
for wanted in 123 124; do
    while [ $count -lt $wanted ]; do
        count=$((count + 1))
        tpg=iscsi/iqn.2026-01.org.example:$long$(printf %03d $count)/tpgt_1
        mkdir -p $tpg/np/127.0.0.1:3260 && echo 1 >$tpg/enable
    done
    echo "$count targets: $(iscsi-ls -i $host iscsi://127.0.0.1 2>/mnt/error | wc -l) found"
    cat /mnt/error
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
123 targets: 123 found
124 targets: 0 found
Failed to do discovery on target. : unsupported flags in text reply 40
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
