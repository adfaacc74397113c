#!/bin/bash
# An ACL that was read by a reader of a znode locks its owners out when it is set again, as by a restore.
#
# Expected: getACL returns the ACL of a znode, and setACL or create with this list gives the same ACL
#   again, as a backup or a copy of a tree does. A list that is not whole is refused (InvalidACL), as other
#   broken entries of the scheme digest are.
# Seen: a client without the permission ADMIN gets "x" for each hash of the scheme digest, without a sign
#   that the list is not whole. The server takes "user:x" as an entry, which no password fulfils. So the
#   owner, who sets the list itself, can neither write nor administer its znode afterwards; only a
#   superuser of the servers can.
# Versions: ZooKeeper 3.8.0 (Debian 12) and 3.9.3 (Debian 13), server and client.
# To do: read ACLs for a backup as a client with ADMIN on every znode, and refuse a list in which a hash is
#   "x".
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
            libdropwizard-metrics-java=3.2.6-1 libnetty-java=1:4.1.48-7+deb12u2 \
            libcommons-cli-java=1.5.0-1 ;;
    "debian 13")
        unpack libzookeeper-java=3.9.3-1+deb13u1 libslf4j-java=1.7.32-2 libsnappy-java=1.1.10.7-1 \
            libdropwizard-metrics-java=3.2.6-1 libnetty-java=1:4.1.48-10+deb13u1 \
            libcommons-cli-java=1.6.0-1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }
command -v java >/dev/null || { echo "cannot run: there is no java here"; exit 2; }
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '%s\n' "dataDir=$dir/data" "clientPort=$port" clientPortAddress=127.0.0.1 admin.enableServer=false >cfg
jars=usr/share/java
CLASSPATH=$(printf "$jars/%s.jar:" zookeeper zookeeper-jute slf4j-api metrics-core snappy-java netty-handler \
    netty-common commons-cli)
export CLASSPATH
java -Xmx128m org.apache.zookeeper.server.quorum.QuorumPeerMain cfg >log 2>&1 &
server=$!

cli() {
    printf '%s\n' "$@" quit |
        java -Xmx64m org.apache.zookeeper.ZooKeeperMain -server "127.0.0.1:$port" -waitforconnection 2>&1
}
owner() {
    cli "addauth digest owner:password" "$@" | grep -o -e "^content$" -e "^new$" -e "Insufficient permission" || true
}
{
    echo "the owner makes the node, and writes:"
    owner "create /node content" "setAcl /node auth:owner:cdrwa,world:anyone:r" "set /node new" "get /node"
    hash=$(cli "getAcl /node" | sed -n "s/^'digest,'owner://p")
    echo "a reader gets the hash $hash; the owner sets it, writes, and sets the old ACL:"
    owner "setAcl /node digest:owner:$hash:cdrwa,world:anyone:r" "set /node content" \
        "setAcl /node auth:owner:cdrwa,world:anyone:r" "get /node"
} >seen

cat >expected <<'END'
the owner makes the node, and writes:
new
a reader gets the hash x; the owner sets it, writes, and sets the old ACL:
Insufficient permission
Insufficient permission
new
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, with ZooKeeper $(dpkg-deb -f libzookeeper-java_*.deb Version)"
