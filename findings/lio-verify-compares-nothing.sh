#!/bin/bash
# LIO answers VERIFY with GOOD whatever data the initiator sends to be compared.
#
# Expected: SBC-4, VERIFY (10) with BYTCHK 01b: the device server compares the data-out buffer with the
#   medium and ends with MISCOMPARE where they differ; sg_verify(8), --ndo, relies on it (exit status 14).
# Seen: zeros are "verified" against a block of ones, exit status 0. The same zeros are a miscompare for
#   COMPARE AND WRITE, so the medium does hold something else.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: read the data back to prove a copy or a migration. Never take VERIFY from an initiator as a proof.
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
mkdir -p core/rd_mcp_0/disk && echo rd_pages=256 >core/rd_mcp_0/disk/control
echo 1 >core/rd_mcp_0/disk/enable
port=loopback/naa.6001405000000001/tpgt_1
mkdir -p $port/lun && echo naa.6001405000000002 >$port/nexus
mkdir $port/lun/lun_0 && ln -s "$PWD/core/rd_mcp_0/disk" $port/lun/lun_0/disk
tr '\0' '\377' </dev/zero | head -c 512 >/mnt/ones && head -c 1024 /dev/zero >/mnt/zeros
dd if=/mnt/ones of=/dev/sda oflag=direct status=none
sg_verify --ndo=512 --count=1 --lba=0 --in=/mnt/zeros /dev/sg0 && echo "VERIFY, zeros against ones: GOOD"
sg_compare_and_write --quiet --num=1 --lba=0 --xferlen=1024 --in=/mnt/zeros /dev/sg0 2>/dev/null
echo "COMPARE AND WRITE, zeros against ones: $?"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
VERIFY, zeros against ones: GOOD
COMPARE AND WRITE, zeros against ones: 14
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
