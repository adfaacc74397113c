#!/bin/bash
# LIO cuts the path of a fileio storage object at 255 bytes and serves another file.
#
# Expected: a path that is too long is refused (PATH_MAX is 4096; open(2): ENAMETOOLONG).
# Seen: fd_dev_name is copied into 256 bytes (FD_MAX_DEV_NAME in drivers/target/target_core_file.h), the
#   rest is dropped without an error, and the object is enabled. The shorter path is created as an empty
#   file, and everything that initiators write goes there. 255 bytes are 85 letters of three bytes in UTF-8.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13).
# To do: count the bytes of a path before it is given to LIO, and compare "File:" in the object's info with
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

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod target_core_file; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
folder=/mnt/$(printf 'f%.0s' {1..150}) && mkdir "$folder"
file=$folder/$(printf 'n%.0s' {1..150})
truncate --size=1M "$file" && echo "path of ${#file} bytes"
mkdir -p core/fileio_0/disk && echo "fd_dev_name=$file,fd_dev_size=1048576" >core/fileio_0/disk/control
echo 1 >core/fileio_0/disk/enable && echo "enabled"
served=$(sed -n 's/.*File: \([^ ]*\) .*/\1/p' core/fileio_0/disk/info)
echo "serves a path of ${#served} bytes, a new file of $(stat --format=%s "$served") bytes"
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
path of 306 bytes
enabled
serves a path of 255 bytes, a new file of 0 bytes
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
