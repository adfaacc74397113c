#!/bin/bash
# A node that kazoo makes with the digest ACL of its own user is closed to that user, when the server hashes
# with another algorithm than SHA-1.
#
# Expected: make_digest_acl("user", "password") of kazoo.security makes the ACL that a client fulfils after
#   add_auth("digest", "user:password"), as its documentation shows.
# Seen: since 3.7 ZooKeeper has zookeeper.DigestAuthenticationProvider.digestAlg (administrator's guide), with
#   SHA-256 and others for sites that may not use SHA-1. kazoo hashes with SHA-1 whatever the server does, so
#   the server takes the ACL, and nobody fulfils it: the creator gets NoAuthError for its own node, and may
#   neither read nor correct it. Nothing tells that the algorithms differ.
# Versions: kazoo 2.11.0, ZooKeeper 3.8.0 (Debian 12) and 3.9.3 (Debian 13).
# To do: use CREATOR_ALL_ACL, for which the server fills in the hash, or hash by the server's algorithm. The
#   length of a hash that the server has filled in tells which one: 28 letters are SHA-1, 44 are SHA-256.
set -eu
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial data

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12")
        unpack libzookeeper-java=3.8.0-11+deb12u2 libslf4j-java=1.7.32-1 libsnappy-java=1.1.8.3-1 \
            libdropwizard-metrics-java=3.2.6-1 libnetty-java=1:4.1.48-7+deb12u2 ;;
    "debian 13")
        unpack libzookeeper-java=3.9.3-1+deb13u1 libslf4j-java=1.7.32-2 libsnappy-java=1.1.10.7-1 \
            libdropwizard-metrics-java=3.2.6-1 libnetty-java=1:4.1.48-10+deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }
command -v java >/dev/null || { echo "cannot run: there is no java here"; exit 2; }

{ python3 -m venv venv && venv/bin/pip -q install kazoo==2.11.0; } >log 2>&1 ||
    { tail -3 log; echo "cannot run: pip does not get kazoo 2.11.0"; exit 2; }

port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '%s\n' "dataDir=$dir/data" "clientPort=$port" clientPortAddress=127.0.0.1 admin.enableServer=false >cfg
jars=usr/share/java
java -Xmx128m -Dzookeeper.DigestAuthenticationProvider.digestAlg=SHA-256 \
    -cp "$(printf "$jars/%s.jar:" zookeeper zookeeper-jute slf4j-api metrics-core snappy-java netty-handler \
        netty-common)" org.apache.zookeeper.server.quorum.QuorumPeerMain cfg >log 2>&1 &
server=$!

cat >client.py <<'END'
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import CREATOR_ALL_ACL, make_digest_acl

client = KazooClient(sys.argv[1])
client.start(timeout=60)
client.add_auth("digest", "user:password")
OWN = [make_digest_acl("user", "password", all=True)]
for name, acl in {"CREATOR_ALL_ACL": CREATOR_ALL_ACL, "make_digest_acl": OWN}.items():
    client.create(f"/{name}", b"content", acl=acl)
    try:
        value, _ = client.get(f"/{name}")
        (entry,), _ = client.get_acls(f"/{name}")
        print(f"{name}: {value.decode()}, a hash of {len(entry.id.id.partition(':')[2])} letters")
    except NoAuthError:
        print(f"{name}: NoAuthError for the node that it has just made")
client.stop()
END
venv/bin/python client.py "127.0.0.1:$port" >seen

cat >expected <<'END'
CREATOR_ALL_ACL: content, a hash of 44 letters
make_digest_acl: NoAuthError for the node that it has just made
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, with kazoo 2.11.0 and ZooKeeper $(dpkg-deb -f libzookeeper-java_*.deb Version)"
