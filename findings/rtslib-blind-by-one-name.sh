#!/bin/bash
# One target whose name rtslib does not know as valid hides all targets of the node from rtslib and
# targetcli.
#
# Expected: RFC 7143 (4.2.7.4) has "iqn.", a date, a reversed domain name and, after a colon, any string.
#   The domain may have one label ("lan", "local", a company's own top-level domain). LIO and open-iscsi
#   take such names.
# Seen: rtslib asks for a second dot behind the date (normalize_wwn in utils.py), and asks the same of names
#   that it reads from configfs. So a target iqn.2026-01.lan:scratch, made by another program, ends every
#   list of targets with "WWN not valid as: iqn, naa, eui": nothing is saved, also not the targets with
#   other names, and "targetctl clear", which Debian's service runs at each stop, removes nothing.
# Versions: rtslib-fb 2.2.4 and 2.1.76; Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: give targets a domain of two labels where rtslib or targetcli is used on the node as well.
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

cat >targets.py <<'END'
from rtslib_fb import RTSLibError, RTSRoot

try:
    print("  targets:", [target.wwn for target in RTSRoot().targets])
except RTSLibError as error:
    print("  targets:", error)
END

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod iscsi_target_mod overlay; do
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
mkdir -p iscsi/iqn.2026-01.org.example:first/tpgt_1
try() {
    echo "rtslib $1:"
    "$D/$1/bin/python" "$D/targets.py"
    rm -f /mnt/saved.json
    "$D/$1/bin/targetctl" save /mnt/saved.json 2>/dev/null
    echo "  targetctl save: exit status $?, file written: $([ -e /mnt/saved.json ] && echo yes || echo no)"
}
try 2.2.4
mkdir -p iscsi/iqn.2026-01.lan:scratch/tpgt_1 && echo "and iqn.2026-01.lan:scratch"
try 2.2.4
try 2.1.76
"$D/2.2.4/bin/targetctl" clear 2>/dev/null
echo "targetctl clear: exit status $?, $(ls -d iscsi/iqn* | wc -l) targets left"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
rtslib 2.2.4:
  targets: ['iqn.2026-01.org.example:first']
  targetctl save: exit status 0, file written: yes
and iqn.2026-01.lan:scratch
rtslib 2.2.4:
  targets: WWN not valid as: iqn, naa, eui
  targetctl save: exit status 1, file written: no
rtslib 2.1.76:
  targets: WWN not valid as: iqn, naa, eui
  targetctl save: exit status 1, file written: no
targetctl clear: exit status 1, 2 targets left
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
