#!/bin/bash
# A persistent watch of ZooKeeper reports nothing of what changed while its client was disconnected.
#
# Expected: programmer's guide, "ZooKeeper Watches": when a client reconnects, its watches are registered
#   again "and triggered if needed". A persistent watch (addWatch, since 3.6) only differs in that it "does
#   not get removed when triggered".
# Seen: during a cut of the connection, within the session, one node was changed, one deleted, and a child
#   was made below a node with a recursive watch. After the reconnection none of the three persistent
#   watches is triggered. A watch that is set once, by get, is. The next change triggers the persistent one
#   again, so it was registered: the server compares only the others with what the client has seen
#   (setWatches in org.apache.zookeeper.server.DataTree).
# Versions: ZooKeeper 3.8.0 (Debian 12) and 3.9.3 (Debian 13), server and client.
# To do: with persistent watches, read everything again after each SyncConnected.
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

cat >watcher.py <<'END'
"""ZooKeeper's own client, which watches over a proxy that is cut while another client changes the nodes."""
import socket
import subprocess
import sys
import threading
import time


class Proxy:
    def __init__(self, port):
        self.port, self.sockets = port, []
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.server.accept()
            if self.sockets is None:
                client.close()
                continue
            pair = [client, socket.create_connection(("127.0.0.1", self.port))]
            self.sockets += pair
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self.copy, args=(one, other), daemon=True).start()

    def copy(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass

    def cut(self):
        sockets, self.sockets = self.sockets, None
        for one in sockets:
            one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.sockets = []


class Client:
    """zkCli.sh without its shell script."""

    def __init__(self, port):
        main = ["java", "-Xmx64m", "org.apache.zookeeper.ZooKeeperMain", "-server", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen([*main, "-timeout", "30000"], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def wait(self, word):
        """Return all lines up to the next one with this word."""
        for _ in range(600):
            seen = self.lines[:]
            if any(word in line for line in seen):
                del self.lines[:len(seen)]
                return seen
            time.sleep(0.1)
        sys.exit(f"no {word} in 60 s: {self.lines}")

    def enter(self, *commands):
        self.process.stdin.write("\n".join((*commands, "stat /zookeeper")) + "\n")
        return self.wait("numChildren")


def show(title, lines):
    events = [" ".join(line.split("type:")[1].split()[:2]) for line in lines if "type:Node" in line]
    print(f"{title}: {', '.join(events)}")


port = int(sys.argv[1])
writer = Client(port)
writer.wait("SyncConnected")
writer.enter("create /changed 1", "create /removed 1", "create /tree 1", "create /once 1")
proxy = Proxy(port)
watcher = Client(proxy.server.getsockname()[1])
watcher.wait("SyncConnected")
watcher.enter("addWatch -m PERSISTENT /changed", "addWatch -m PERSISTENT /removed",
              "addWatch -m PERSISTENT_RECURSIVE /tree", "get -w /once")
writer.enter("set /changed 2")
show("connected", watcher.wait("path:/changed"))
proxy.cut()
watcher.wait("Disconnected")
writer.enter("set /changed 3", "delete /removed", "create /tree/new 3", "set /once 3")
proxy.mend()
lines = watcher.wait("SyncConnected") + watcher.enter()  # the answer comes after the watches are registered
writer.enter("set /changed 4")
show("since the reconnection", lines + watcher.wait("path:/changed"))
writer.process.kill()
watcher.process.kill()
END
python3 watcher.py "$port" >seen

cat >expected <<'END'
connected: NodeDataChanged path:/changed
since the reconnection: NodeDataChanged path:/once, NodeDataChanged path:/changed
END
cat seen
diff -u expected seen || { echo "changed"; exit 1; }
echo "as described, with ZooKeeper $(dpkg-deb -f libzookeeper-java_*.deb Version)"
