#!/bin/bash
# sg_turs of Debian 13 sends no TEST UNIT READY, and exits with 0 for any device.
#
# Expected: sg_turs(8) sends NUM commands, counts those that fail, and its exit status is that of
#   sg3_utils(8): 2 for "not ready", 6 for a unit attention.
# Seen: it prints "bad pass-through setup" for each command, sends none, reports "0 errors", and exits with 0,
#   also for a LUN in the ALUA state standby, to which sg_raw gets "not ready" by the same command. So a
#   script that waits for a device with sg_turs, or clears unit attentions with it, does neither. --low sends
#   the command and counts right, but its exit status is 0 too.
# Versions: sg3-utils 1.48-3~deb13u1 (Debian 13), on Linux 6.12.113. 1.46 (Debian 12) is right.
# To do: send the command with "sg_raw DEVICE 00 00 00 00 00 00", whose exit status is 0 only for GOOD.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial out

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
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
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
port=loopback/naa.6001405000000000/tpgt_1
mkdir -p $port && echo naa.6001405000000001 >$port/nexus
mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
for state in 0 2; do
    echo $state >$disk/alua/default_tg_pt_gp/alua_access_state
    echo "ALUA state $state:"
    sg_raw /dev/sg0 00 00 00 00 00 00 2>/dev/null # gets the unit attention
    for options in "" --number=2 "--low --number=2"; do
        sg_turs $options /dev/sg0 2>&1
        echo "  sg_turs $options: $?"
    done
    sg_raw /dev/sg0 00 00 00 00 00 00 2>/dev/null
    echo "  sg_raw: $?"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
ALUA state 0:
Test unit ready: bad pass-through setup
  sg_turs : 0
Test unit ready: bad pass-through setup
Test unit ready: bad pass-through setup
Completed 2 Test Unit Ready commands with 0 errors
  sg_turs --number=2: 0
Completed 2 Test Unit Ready commands with 0 errors
  sg_turs --low --number=2: 0
  sg_raw: 0
ALUA state 2:
Test unit ready: bad pass-through setup
  sg_turs : 0
Test unit ready: bad pass-through setup
Test unit ready: bad pass-through setup
Completed 2 Test Unit Ready commands with 0 errors
  sg_turs --number=2: 0
Completed 2 Test Unit Ready commands with 2 errors
  sg_turs --low --number=2: 0
  sg_raw: 12
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
