#!/bin/bash
# LIO's delay for commands on a non-optimized path (nonop_delay_msecs, 100 by default) delays nothing.
#
# Expected: the attribute of each target port group is the time in milliseconds that a command waits in the
#   state active/non-optimized (core_alua_check_nonop_delay in drivers/target/target_core_alua.c), so that
#   hosts prefer other paths: at 1,000 ms ten commands take ten seconds.
# Seen: ten commands take as long as with 0 ms. The delay is looked at when a command is submitted
#   (target_submit in target_core_transport.c), and the state sets it only later, when the command is
#   executed (__target_execute_cmd), after which nothing looks at it.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: a host uses the better path by the state alone. To slow a path down, as in a test of multipath,
#   use the device behind it (dm-delay).
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
mkdir -p /mnt/db/pr && echo /mnt/db >dbroot
disk=core/rd_mcp_0/disk
mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
for number in 0 1 2; do
    port=loopback/naa.600140500000000$number/tpgt_1
    mkdir -p $port && echo naa.600140500000001$number >$port/nexus
    mkdir -p $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
done
for number in 0 1 2; do sg_raw /dev/sg$number 00 00 00 00 00 00; done >/dev/null 2>&1  # takes unit attentions

group=$disk/alua/default_tg_pt_gp
echo "default: $(cat $group/nonop_delay_msecs) ms"
echo 1 >$group/alua_access_state && echo 1000 >$group/nonop_delay_msecs
sg_raw /dev/sg0 00 00 00 00 00 00 >/dev/null 2>&1  # takes the unit attention
sg_rtpg --decode /dev/sg0 | busybox grep -o "active.*"
for command in "28 00 00 00 00 00 00 00 01 00" "2a 00 00 00 00 00 00 00 01 00" "00 00 00 00 00 00"; do
    case $command in 28*) data=-r512 ;; 2a*) data="-s512 -i/dev/zero" ;; *) data= ;; esac
    SECONDS=0 answer="less than 5 s"
    for _ in 0 1 2 3 4 5 6 7 8 9; do sg_raw $data /dev/sg0 $command >/dev/null 2>&1 || echo "failed: $?"; done
    [ $SECONDS -lt 5 ] || answer="$SECONDS s"
    echo "ten times ${command%% *}: $answer"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
default: 100 ms
active/non optimized)
ten times 28: less than 5 s
ten times 2a: less than 5 s
ten times 00: less than 5 s
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
