#!/bin/bash
# An older rtslib restores a saveconfig.json of a newer one without its block devices, and reports success.
#
# Expected: saveconfig.json is one format of all releases (saveconfig.json(5)), or a restore that cannot
#   read a part fails: targetctl's exit status is what the boot service goes by.
# Seen: 2.2.4 saves "exclusive": true for every block storage object. 2.1.76 (Debian 13) passes every key of
#   the file to its constructor, which does not know this one, so the object, its LUN and its mappings are
#   skipped. The target is up and enabled without a disk, three lines are on standard error, and the exit
#   status is 0. Reached by a downgrade, or a file that is copied between distributions.
# Versions: rtslib-fb 2.2.4 (writes) and 2.1.76 (reads); Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: read standard error of a restore; remove "exclusive" from the file before an older release reads
#   it.
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

for release in 2.2.4 2.1.76; do
    { python3 -m venv $release &&
        $release/bin/pip -q install rtslib-fb==$release pyudev==0.24.3; } >log 2>&1 ||
        { tail -3 log; echo "cannot run: pip does not get rtslib-fb $release"; exit 2; }
done

cat >configure.py <<'END'
from rtslib_fb import BlockStorageObject, FabricModule, LUN, MappedLUN, NodeACL, TPG, Target

disk = BlockStorageObject("disk", "/dev/loop0", wwn="0f0e0d0c0b0a49088706050403020100")
tpg = TPG(Target(FabricModule("iscsi"), "iqn.2026-01.org.example:target"), 1)
LUN(tpg, 0, disk)
MappedLUN(NodeACL(tpg, "iqn.2026-01.org.example:host"), 0, 0)
tpg.enable = True
END

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod target_core_file target_core_iblock iscsi_target_mod overlay loop; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
mkdir /mnt/upper /mnt/work && mount -t tmpfs tmpfs /run
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work overlay /etc
mkdir -p /etc/target && echo /etc/target >dbroot
truncate --size=1M /mnt/file && busybox losetup /dev/loop0 /mnt/file
"$D/2.2.4/bin/python" "$D/configure.py" && "$D/2.2.4/bin/targetctl" save /mnt/saved.json
grep -o '"exclusive": true' /mnt/saved.json
for release in 2.2.4 2.1.76; do
    "$D/$release/bin/targetctl" clear
    "$D/$release/bin/targetctl" restore /mnt/saved.json 2>/mnt/errors
    echo "$release restores: exit status $?, $(grep -c skipped /mnt/errors) skipped," \
        "TPG enabled $(cat iscsi/*/tpgt_1/enable), LUNs $(ls iscsi/*/tpgt_1/lun | wc -l)"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
"exclusive": true
2.2.4 restores: exit status 0, 0 skipped, TPG enabled 1, LUNs 1
2.1.76 restores: exit status 0, 3 skipped, TPG enabled 1, LUNs 0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
