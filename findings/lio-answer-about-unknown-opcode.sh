#!/bin/bash
# Asked whether it supports a command that it does not, LIO answers with two bytes, of which no reader has
# use.
#
# Expected: REPORT SUPPORTED OPERATION CODES with the reporting option 001b (one command) returns at least
#   four bytes: SUPPORT 001b ("not supported") and CDB SIZE 0 (SPC-4, 6.35.3).
# Seen: for a supported command the answer has these four bytes and the usage data. For another one it ends
#   after SUPPORT: "00 01", with the status GOOD. sg_opcodes calls that too small, and exits with 99, so the
#   simple question of a script ("does it have UNMAP?") ends as an error in place of "no". In the list of all
#   commands nothing is wrong.
# Versions: Linux 6.12.113 (Debian 13), sg3-utils 1.48. Older kernels, as 6.1, do not have the command.
# To do: read the list of all commands, or take a short answer whose second byte is 01 for "not supported".
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
for code in 28 42; do
    echo "opcode $code:"
    sg_raw --request=16 /dev/sg0 a3 0c 01 $code 00 00 00 00 00 10 00 00 2>&1 |
        grep -e "^SCSI Status" -e "^ 00  "
    sg_opcodes --opcode=0x$code /dev/sg0 2>&1 | grep -e "small" -e "supported"
    echo "exit status ${PIPESTATUS[0]}"
done | sed 's/ *$//'
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
opcode 28:
SCSI Status: Good
 00     00 03 00 0a 28 e0 ff ff  ff ff 00 ff ff 00          ....(.........
  Command is supported [conforming to SCSI standard]
exit status 0
opcode 42:
SCSI Status: Good
 00     00 01                                               ..
Actual length of response [2] is too small
exit status 99
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
