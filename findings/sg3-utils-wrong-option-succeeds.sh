#!/bin/bash
# Most programs of sg3-utils end with exit status 0 when they do not know an option, and do nothing.
#
# Expected: sg3_utils(8), EXIT STATUS: 0 is success, 1 is a syntax error, "either illegal command line
#   options, options with bad arguments or a combination of options that is not permitted".
# Seen: with a mistyped option, sg_persist, sg_stpg, sg_unmap, sg_verify, sg_rtpg and about 50 more print
#   their usage, send no command, and exit with 0. A fencing or test script whose option is wrong, or only
#   exists in a later release, takes that for a reservation that was made or a verification that passed.
#   sg_format, sg_dd and a few others exit with 1.
# Versions: sg3-utils 1.46 (Debian 12) and 1.48 (Debian 13).
# To do: do not rely on the exit status alone. Check what the command was to change (sg_persist --in), and
#   run a script once with the oldest release that it is for.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12") unpack sg3-utils=1.46-3 libsgutils2-1.46-2=1.46-3 ;;
    "debian 13") unpack sg3-utils=1.48-3~deb13u1 libsgutils2-1.48=1.48-3~deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

export LD_LIBRARY_PATH="$dir/usr/lib/x86_64-linux-gnu"
for program in sg_inq sg_luns sg_persist sg_rtpg sg_stpg sg_unmap sg_verify sg_vpd sg_format; do
    status=0
    "usr/bin/$program" --no-such-option /dev/null >/dev/null 2>&1 </dev/null || status=$?
    echo "$program --no-such-option: exit status $status"
done >seen

cat >expected <<'END'
sg_inq --no-such-option: exit status 0
sg_luns --no-such-option: exit status 0
sg_persist --no-such-option: exit status 0
sg_rtpg --no-such-option: exit status 0
sg_stpg --no-such-option: exit status 0
sg_unmap --no-such-option: exit status 0
sg_verify --no-such-option: exit status 0
sg_vpd --no-such-option: exit status 0
sg_format --no-such-option: exit status 1
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, in sg3-utils $(dpkg-deb -f sg3-utils_*.deb Version)"
