#!/bin/bash
# Pacemaker's iSCSITarget starts a LIO target without any portal when its portals are left at the default.
#
# Expected: ocf_heartbeat_iSCSITarget(7), portals: "If unset, the default is to create one portal", with the
#   default 0.0.0.0:3260. A literal IPv6 address with a port is written in brackets, as in targetcli.
# Seen: with implementation=lio-t the agent switches targetcli's default portal off (auto_add_default_portal)
#   and makes only portals that differ from the default. So with the default the folder np of the TPG stays
#   empty, start reports success, and no host can reach the target. Other portals are cut at their first
#   colons: "[2001:db8::1]:3260" becomes the address "[2001" with the port "db8", which the real
#   targetcli refuses, and of "::0" nothing is left, which it takes for 0.0.0.0.
# Versions: resource-agents 4.12.0 (Debian 12) and 4.16.0 (Debian 13), with targetcli 2.1.53 on Linux 6.12.
# To do: set portals to the IPv4 addresses of the resource. For all addresses write "0.0.0.0", without the
#   port, which is not equal to the default.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial tools tmp

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12") unpack resource-agents=1:4.12.0-2 ;;
    "debian 13") unpack resource-agents=1:4.16.0-3+deb13u2 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer this version"; exit 2; }

# In place of targetcli, a program that notes how the agent calls it: no target is made on this host.
printf '%s\n' '#!/bin/sh' "echo \"  targetcli \$*\" >>$dir/calls" >tools/targetcli
chmod +x tools/targetcli
start() {
    PATH="$dir/tools:$PATH" OCF_ROOT="$dir/usr/lib/ocf" HA_RSCTMP="$dir/tmp" OCF_RESOURCE_INSTANCE=target \
        OCF_RESKEY_implementation=lio-t OCF_RESKEY_iqn=iqn.2026-01.org.example:t \
        timeout 60 bash "$dir/usr/lib/ocf/resource.d/heartbeat/iSCSITarget" start >log 2>&1 || true
    grep -e portal -e "create iqn" calls
    rm calls
}
{
    echo "default:" && start
    for portals in 0.0.0.0 "[2001:db8::1]:3260" ::0; do
        echo "portals=$portals:" && OCF_RESKEY_portals=$portals start
    done
} | sed 's/ *$//' >seen

cat >expected <<'END'
default:
  targetcli /iscsi set global auto_add_default_portal=false
  targetcli /iscsi create iqn.2026-01.org.example:t
portals=0.0.0.0:
  targetcli /iscsi set global auto_add_default_portal=false
  targetcli /iscsi create iqn.2026-01.org.example:t
  targetcli /iscsi/iqn.2026-01.org.example:t/tpg1/portals create 0.0.0.0
portals=[2001:db8::1]:3260:
  targetcli /iscsi set global auto_add_default_portal=false
  targetcli /iscsi create iqn.2026-01.org.example:t
  targetcli /iscsi/iqn.2026-01.org.example:t/tpg1/portals create [2001 db8
portals=::0:
  targetcli /iscsi set global auto_add_default_portal=false
  targetcli /iscsi create iqn.2026-01.org.example:t
  targetcli /iscsi/iqn.2026-01.org.example:t/tpg1/portals create
END
cat seen
diff -u expected seen || { tail -5 log; echo "changed"; exit 1; }
echo "as described, in resource-agents $(dpkg-deb -f resource-agents_*.deb Version)"
