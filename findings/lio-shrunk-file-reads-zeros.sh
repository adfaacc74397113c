#!/bin/bash
# LIO answers reads beyond the end of a file that became shorter with zeros and GOOD.
#
# Expected: a file that a fileio LUN is made of becomes shorter (a restore or a copy that is still running,
#   truncate): the lost blocks are an error for the initiator, as with a block device that shrinks.
# Seen: READ CAPACITY keeps the size that the object was made with, and reads of the missing part succeed
#   with zeros (fd_do_rw in drivers/target/target_core_file.c: "Return zeros and GOOD status even if the
#   READ did not return the expected virt_size"). A file system on such a LUN reads wrong data without an
#   error.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: watch the length of backing files. Put a copy beside the file and check it, before it takes the
#   file's place.
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

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod target_core_file tcm_loop sd_mod; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
tr '\0' x </dev/zero | head -c 1M >/mnt/file
mkdir -p core/fileio_0/disk && echo fd_dev_name=/mnt/file,fd_dev_size=1048576 >core/fileio_0/disk/control
echo 1 >core/fileio_0/disk/enable
port=loopback/naa.6001405000000001/tpgt_1
mkdir -p $port/lun && echo naa.6001405000000002 >$port/nexus
mkdir $port/lun/lun_0 && ln -s "$PWD/core/fileio_0/disk" $port/lun/lun_0/disk
for size in 1048576 4096; do
    truncate --size=$size /mnt/file
    blockdev --rereadpt /dev/sda
    letter=$(dd if=/dev/sda bs=4096 skip=255 count=1 iflag=direct status=none | od -An -c -N1)
    echo "file of $size bytes, LUN of $(blockdev --getsize64 /dev/sda): the last block is of$letter"
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
file of 1048576 bytes, LUN of 1048576: the last block is of   x
file of 4096 bytes, LUN of 1048576: the last block is of  \0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
