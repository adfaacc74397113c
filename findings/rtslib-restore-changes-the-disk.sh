#!/bin/bash
# After targetctl save and restore, initiators can see another disk: part of its identity is not in the
# file.
#
# Expected: targetctl(8): "save" stores the configuration of the kernel target and "restore" brings it back,
#   at boot by a service. saveconfig.json has the serial ("wwn"), so the disk stays the same.
# Seen: vendor, product, revision and company id of a storage object, and the queue depth of an ACL, are not
#   in the file, and come back as LIO's defaults without a message, exit status 0. The company id is part of
#   the WWN: naa.600a098... has become naa.6001405... after a reboot, under which no host finds its file
#   systems; with another vendor or product multipath-tools uses other settings.
# Versions: rtslib-fb 2.2.4; Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: write these five after each restore (a unit ordered After= the one that restores, before hosts log
#   in), or leave them at LIO's defaults.
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

{ python3 -m venv venv && venv/bin/pip -q install rtslib-fb==2.2.4 pyudev==0.24.3; } >log 2>&1 ||
    { tail -3 log; echo "cannot run: pip does not get rtslib-fb 2.2.4"; exit 2; }

cat >configure.py <<'END'
from rtslib_fb import FabricModule, FileIOStorageObject, LUN, MappedLUN, NodeACL, TPG, Target

disk = FileIOStorageObject("disk", "/mnt/file", size=1 << 20, wwn="0f0e0d0c0b0a49088706050403020100")
tpg = TPG(Target(FabricModule("iscsi"), "iqn.2026-01.org.example:target"), 1)
for name, value in {"vendor_id": "ACME", "product_id": "db1", "company_id": "0x00a098"}.items():
    with open(f"{disk.path}/wwn/{name}", "w") as file:
        file.write(value)
LUN(tpg, 0, disk)
acl = NodeACL(tpg, "iqn.2026-01.org.example:host")
MappedLUN(acl, 0, 0)
acl.tcq_depth = 16
END

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod target_core_file target_core_iblock iscsi_target_mod overlay; do
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
truncate --size=1M /mnt/file && "$D/venv/bin/python" "$D/configure.py"
show() {
    wwn=$(cat core/*/disk/wwn/{vendor_id,product_id,company_id})
    echo $1: $wwn, queue depth $(cat iscsi/*/tpgt_1/acls/*/cmdsn_depth)
}
show "before"
for verb in save clear restore; do
    "$D/venv/bin/targetctl" $verb /mnt/saved.json
    echo "targetctl $verb: exit status $?"
done
show "after"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
before: ACME db1 0x00a098, queue depth 16
targetctl save: exit status 0
targetctl clear: exit status 0
targetctl restore: exit status 0
after: LIO-ORG FILEIO 0x001405, queue depth 64
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
