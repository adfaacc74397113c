#!/bin/bash
# LIO counts what it refuses as written and read, in the statistics of a storage object but not of its
# ports.
#
# Expected: RFC 4455 (the SCSI MIB, whose names the files have), scsiLuWrittenMegaBytes and
#   scsiLuReadMegaBytes: the megabytes written to and read from the logical unit. So the counters of a
#   storage object are the sums of those of its ports.
# Seen: after 2 MiB were written, and 6 MiB were refused with a reservation conflict, write_mbytes of the
#   storage object is 8, and that of both ports together 2. Reads behind the end of the disk count in the
#   same way: 4 MiB in read_mbytes, and no data were sent. The object's counters grow when a command
#   arrives (transport_lookup_cmd_lun in drivers/target/target_core_device.c), the ports' when data are
#   transferred.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: take the traffic from statistics/scsi_tgt_port of the LUN below the target, not from
#   statistics/scsi_lu below core: a host that repeats refused writes looks like one that writes.
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

busybox dd if=/dev/zero of=/mnt/data bs=64k count=8 2>/dev/null
answers() { busybox sort /mnt/answers | busybox uniq -c | busybox sed 's/^ */  /'; }
writes() {  # four of 512 KiB
    for _ in 1 2 3 4; do sg_raw -s 524288 -i /mnt/data "$1" 2a 00 00 00 00 00 00 04 00 00 2>&1; done |
        busybox grep -o -e Good -e "Reservation Conflict" >/mnt/answers
    answers
}
reads() {  # four of 1 MiB, from the last block on
    for _ in 1 2 3 4; do sg_raw -r 1048576 -o /dev/null "$1" 28 00 00 00 03 ff 00 08 00 00 2>&1; done |
        busybox grep -o -e Good -e "Logical block.*" >/mnt/answers
    answers
}
counters() {
    echo "$1 of the storage object: $(cat $disk/statistics/scsi_lu/$1)"
    echo "$1 of two ports:" $(cat loopback/naa.600140500000000[01]/tpgt_1/lun/lun_0/statistics/scsi_tgt_port/$1)
}
sg_persist --out --register --param-sark=0xabc /dev/sg0 >/dev/null
sg_persist --out --reserve --param-rk=0xabc --prout-type=1 /dev/sg0 >/dev/null
echo "writes of the host with the reservation:"
writes /dev/sg0
echo "writes of another host:"
writes /dev/sg1 && writes /dev/sg1 && writes /dev/sg1
counters write_mbytes
echo "reads behind the end:"
reads /dev/sg1
counters read_mbytes
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
writes of the host with the reservation:
  4 Good
writes of another host:
  4 Reservation Conflict
  4 Reservation Conflict
  4 Reservation Conflict
write_mbytes of the storage object: 8
write_mbytes of two ports: 2 0
reads behind the end:
  4 Logical block address out of range
read_mbytes of the storage object: 4
read_mbytes of two ports: 0 0
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
