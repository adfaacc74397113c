#!/bin/bash
# sg_stpg exits with 0 when the target refused the state, and prints that state as the new one.
#
# Expected: sg3_utils(8), exit status: 5 for an illegal request, 9 for an unsupported operation code.
# Seen: for a target that has only implicit ALUA it writes "Invalid opcode" to standard error, then the state
#   that was refused below the words "New target port groups", and exits with 0. The target keeps its state.
# Versions: sg3-utils 1.46 and 1.48, with the LIO of Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: read the state with sg_rtpg afterwards, or send the command with sg_raw.
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
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
port=loopback/naa.6001405000000000/tpgt_1
mkdir -p $port && echo naa.6001405000000001 >$port/nexus
mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
group=$disk/alua/default_tg_pt_gp
echo 1 >$group/alua_access_type && cat $group/alua_access_type
sg_stpg --standby /dev/sg0 2>&1 | busybox grep -v "try\|^Device is"
echo "sg_stpg: ${PIPESTATUS[0]}"
sg_rtpg --decode /dev/sg0 | busybox grep access
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
Implicit
Set Target Port Groups: Illegal request, Invalid opcode
Current target port groups:
  target port group id : 0x0 , Pref=0
    target port group asymmetric access state : 0x00
Port group 0x00: Set asymmetric access state to (standby)
New target port groups:
  target port group id : 0x0
    target port group asymmetric access state : 0x02
sg_stpg: 0
    target port group asymmetric access state : 0x00 (active/optimized)
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
