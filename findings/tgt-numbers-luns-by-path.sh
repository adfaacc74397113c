#!/bin/bash
# tgt-admin numbers the LUNs of a target by the alphabet of their paths, so a new line in targets.conf
# gives other disks to the numbers that hosts know.
#
# Expected: targets.conf(5) has each LUN on a line of its own ("backing-store PATH"), and of the order it
#   only says that backing-store is before direct-store. So LUN 1 is the first line, and a line that is
#   added at the end gets the next number.
# Seen: the first line is LUN 2 and the second LUN 1, since tgt-admin sorts the paths. With a third line at
#   the end, whose path comes first in the alphabet, each number leads to another disk after the next start
#   of tgtd. The serial and the SCSI ID are made of the number, so hosts cannot notice: LUN 1 with the
#   serial beaf11 is another disk, and they write to it.
# Versions: tgt 1.0.85 (Debian 12 and 13).
# To do: give each disk its number and serial in a block of its own (<backing-store PATH>, with "lun" and
#   "scsi_sn"). Before disks move from tgt to another target, take path and number of each LUN from "tgtadm
#   --mode target --op show", not from the order of targets.conf.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12")
        unpack tgt=1:1.0.85-1+deb12u1 libconfig-general-perl=2.65-2 libaio1=0.3.113-4 libibverbs1=44.0-2 \
            librdmacm1=44.0-2 libnl-3-200=3.7.0-0.2+b1 libnl-route-3-200=3.7.0-0.2+b1 ;;
    "debian 13")
        unpack tgt=1:1.0.85-1.3 libconfig-general-perl=2.67-1 libaio1t64=0.3.113-8+b1 libibverbs1=56.1-1 \
            librdmacm1t64=56.1-1 libnl-3-200=3.7.0-2 libnl-route-3-200=3.7.0-2 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }
perl -e "use FileHandle" 2>/dev/null || { echo "cannot run: there is no complete perl here"; exit 2; }
truncate -s 1M sql logs archive

cat >targets <<'END'
# /run and the network are private here, where a host's own tgtd would answer.
mount -t tmpfs tmpfs /run
serve() {
    printf '%s\n' "<target iqn.2026-01.org.example:target>" "$@" "</target>" >conf
    tgtd -f >log 2>&1 &
    until tgtadm --mode target --op show >/dev/null 2>&1; do sleep 0.1; done
    tgt-admin --execute --conf conf
    tgtadm --mode target --op show | awk '$1 == "LUN:" {lun = $2} $2 == "SN:" {serial = $3}
        / store path: \// {sub(".*/", ""); print "LUN " lun ", serial " serial ": " $0}'
    { kill -KILL $! && wait $! || true; } 2>/dev/null
}
echo "sql, logs:"
serve "backing-store $PWD/sql" "backing-store $PWD/logs"
echo "sql, logs, archive:"
serve "backing-store $PWD/sql" "backing-store $PWD/logs" "backing-store $PWD/archive"
END
LD_LIBRARY_PATH="$(echo "$dir"/usr/lib/*-linux-gnu):$(echo "$dir"/lib/*-linux-gnu)" \
    PERL5LIB="$dir/usr/share/perl5" PATH="$dir/usr/sbin:$PATH" \
    unshare --mount --net --pid --fork --kill-child timeout 30 bash targets >seen

cat >expected <<'END'
sql, logs:
LUN 1, serial beaf11: logs
LUN 2, serial beaf12: sql
sql, logs, archive:
LUN 1, serial beaf11: archive
LUN 2, serial beaf12: logs
LUN 3, serial beaf13: sql
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, in tgt $(dpkg-deb -f tgt_*.deb Version)"
