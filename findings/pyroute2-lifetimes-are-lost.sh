#!/bin/bash
# pyroute2 adds an address with a lifetime as one that never expires, and which spelling loses it depends on
# the release.
#
# Expected: IPRoute.addr("add", ..., valid_lft=60, preferred_lft=30) does what "ip address add" does with
#   these words. Its module requests/address.py has functions for both, also in the oldest release here.
# Seen: 0.7.2 (python3-pyroute2 of Debian 12), 0.7.7 (of Debian 13) and 0.8.1 drop them without an error, and
#   the address stays for ever. There only cacheinfo={"valid": ..., "preferred": ...} works, and 0.9.7 drops
#   that one. A lease, such as an address that a node may only keep while it renews it, never ends. (A
#   misspelt keyword is ignored by every release.)
# Versions: pyroute2 0.7.2, 0.7.7, 0.8.1 and 0.9.7.
# To do: read the address back and compare ifa_valid; 4294967295 is "for ever".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >lifetimes.py <<'END'
from pyroute2 import IPRoute

SPELLINGS = {
    "valid_lft": {"valid_lft": 60, "preferred_lft": 30},
    "cacheinfo": {"cacheinfo": {"valid": 60, "preferred": 30}},
    "IFA_CACHEINFO": {"IFA_CACHEINFO": {"ifa_valid": 60, "ifa_preferred": 30}},
}
with IPRoute() as route:
    (lo,) = route.link_lookup(ifname="lo")
    route.link("set", index=lo, state="up")
    for name, lifetimes in SPELLINGS.items():
        route.addr("add", index=lo, address="192.0.2.1", prefixlen=24, **lifetimes)
        for address in route.get_addr(index=lo):
            if address.get_attr("IFA_ADDRESS") == "192.0.2.1":
                valid = address.get_attr("IFA_CACHEINFO")["ifa_valid"]
                print(f"  {name}: {'for ever' if valid == 4294967295 else f'{valid} s'}")
        route.addr("del", index=lo, address="192.0.2.1", prefixlen=24)
END
for release in 0.7.2 0.7.7 0.8.1 0.9.7; do
    { python3 -m venv "$release" && "$release/bin/pip" -q install "pyroute2==$release"; } >log 2>&1 ||
        { tail -3 log; echo "cannot run: pip does not get pyroute2 $release"; exit 2; }
    echo "pyroute2 $release"
    unshare --net "$release/bin/python" lifetimes.py
done >seen

cat >expected <<'END'
pyroute2 0.7.2
  valid_lft: for ever
  cacheinfo: 60 s
  IFA_CACHEINFO: for ever
pyroute2 0.7.7
  valid_lft: for ever
  cacheinfo: 60 s
  IFA_CACHEINFO: for ever
pyroute2 0.8.1
  valid_lft: for ever
  cacheinfo: 60 s
  IFA_CACHEINFO: for ever
pyroute2 0.9.7
  valid_lft: 60 s
  cacheinfo: for ever
  IFA_CACHEINFO: 60 s
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described"
