#!/bin/bash
# A LUN whose ALUA group is set to "offline" answers every command, INQUIRY too, with an illegal request.
#
# Expected: alua_access_state takes the states of SPC-4, 5.15.2.4, and REPORT TARGET PORT GROUPS has the bit
#   O_SUP. In every state that a host can see, INQUIRY, REPORT LUNS and REPORT TARGET PORT GROUPS are
#   answered, and the others end with NOT READY and the state, as LIO does for standby (2) and unavailable
#   (3).
# Seen: 14 is accepted without an error, and from then on each command ends with ILLEGAL REQUEST, invalid
#   field in the CDB: INQUIRY, REPORT LUNS and REPORT TARGET PORT GROUPS too. So a host is never told the
#   state. Offline is a state of a port in LIO (alua_tg_pt_offline of the LUN), but the group takes it.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: use unavailable (3) for a path that no host may use.
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
for state in 3 14; do
    echo $state >$disk/alua/default_tg_pt_gp/alua_access_state && echo "state: $state"
    sg_raw /dev/sg0 00 00 00 00 00 00 >/dev/null 2>&1  # takes the unit attention
    sg_raw /dev/sg0 00 00 00 00 00 00 2>&1 | busybox grep -v "^$\|^SCSI\|^Sense Inf"
    for command in "sg_inq" "sg_luns" "sg_rtpg -d"; do
        $command /dev/sg0 >/dev/null 2>&1
        echo "$command: $?"
    done
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
state: 3
Fixed format, current; Sense key: Not Ready
Additional sense: Logical unit not accessible, target port in unavailable state
sg_inq: 0
sg_luns: 0
sg_rtpg -d: 0
state: 14
Fixed format, current; Sense key: Illegal Request
Additional sense: Invalid field in cdb
sg_inq: 5
sg_luns: 5
sg_rtpg -d: 5
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
