"""CHAP from the admin's prompt to the login of an initiator, on a real kernel."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import CommandFailed
from lab.wait import wait_until
from support.cluster import HOST, SAN, Cluster, StorageNode
from system.documented_host import RENEW

pytestmark = pytest.mark.kernel

WORD, ANSWER, DISCOVERED = "the hosts own word", "the answer of san", "who may look at me"


def example(cluster: Cluster, authentication: str = "none", chap: str = "", discovery: str = "") -> str:
    """Return the example map for one node, with these settings of target and discovery."""
    text = cluster.example().replace("[n1, n2, n3]", "[n1]")
    text = text.replace("authentication: none", f"authentication: {authentication}")
    text = text.replace("alias: database host", f"alias: database host\n{chap}")
    text = re.sub(r"^  n[23]:.*\n", "", text, flags=re.MULTILINE)
    return text.replace("{tpg_tag: 1,", f"{{tpg_tag: 1, {discovery}")


def refused(cluster: Cluster, **chap: str) -> bool:
    """Return whether a login with these credentials fails."""
    cluster.initiator.chap(**chap)
    try:
        cluster.initiator.login(SAN)
    except CommandFailed:
        return True
    cluster.initiator.logout(SAN)
    wait_until("the sessions are closed", lambda: not cluster.nodes[0].has_sessions())
    return False


def explained(cluster: Cluster) -> str:
    """Return what is explained of a host that is not logged in."""
    return cluster.ctl("explain", HOST, "db1", expect=6).out


class Secret(NamedTuple):
    """`lunmapctl secret` with a key file."""

    cluster: Cluster
    key_file: Path

    def __call__(self, *args: str, word: str = "", expect: int | None = 0) -> int:
        """Run a verb with a password as its input; return the exit status."""
        argv = ("secret", "--key-file", str(self.key_file), *args)
        return self.cluster.ctl(*argv, stdin=f"{word}\n", expect=expect).status

    def copy_key(self, node: StorageNode) -> None:
        """Give the key file to a node."""
        node.machine.put("/etc/lunmapd/secrets.key", self.key_file.read_text(), mode=0o600)


def logins(node: StorageNode) -> dict[str, int]:
    """Return how many logins to the target san the kernel of a node has accepted and refused."""
    words = {"accepts": "iscsi_login_stats/accepts", "refused": "iscsi_tgt_attr/login_fails"}
    files = " ".join(
        f"/sys/kernel/config/target/iscsi/{SAN}/fabric_statistics/{each}" for each in words.values()
    )
    return dict(zip(words, map(int, node.machine.run(f"cat {files}").stdout.split()), strict=True))


def end_connections(node: StorageNode) -> None:
    """Let the kernel of a node drop all connections to the target san; hosts log in again."""
    tpg = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_1"
    node.machine.run(f"echo 0 >{tpg}/enable; echo 1 >{tpg}/enable")


def test_a_session_gets_a_password_by_a_new_login(one_node: Cluster, tmp_path: Path) -> None:
    """A session keeps the credentials of its login, whatever the record has, until it is renewed.

    The commands of the page are printed before the target asks for passwords.
    """
    secret, (node,) = Secret(one_node, tmp_path / "secrets.key"), one_node.nodes
    one_node.ctl.apply(example(one_node))
    secret("new-key")
    secret.copy_key(node)
    wait_until("n1 has the key", lambda: secret("set", HOST, "--user", "host1", word=WORD, expect=None) == 0)
    one_node.initiator.discover(node.machine.address)
    one_node.initiator.login(SAN)
    commands = RENEW.replace("10.0.1.1", node.machine.address).replace("PASSWORD", f"'{WORD}'")
    asked = one_node.ctl("target", "set", "san", "authentication=chap", "--wait", "60").out
    record = commands.partition("$node -p")[0]
    assert "first, on host1: later logins to san need a password" in asked
    assert f"{node.machine.address}:3260 --logout && $node" in asked

    one_node.initiator.machine.run(record)
    end_connections(node)
    wait_until("the session is refused", lambda: logins(node)["refused"] > 1)
    one_node.initiator.machine.run(commands)
    before = logins(node)
    end_connections(node)
    wait_until("the renewed session logs in", lambda: logins(node)["accepts"] > before["accepts"])
    assert logins(node)["refused"] == before["refused"]
    one_node.initiator.logout(SAN)


def test_only_who_knows_the_password_gets_in(one_node: Cluster, tmp_path: Path) -> None:
    """Only initiators with the passwords log in with CHAP and mutual CHAP.

    A node without the key is reported.
    """
    secret, (node,) = Secret(one_node, tmp_path / "secrets.key"), one_node.nodes
    one_node.ctl.apply(example(one_node))
    one_node.initiator.discover(node.machine.address)
    assert not refused(one_node)
    secret("new-key")
    assert secret("set", HOST, "--user", "host", word=WORD, expect=None) == 6
    secret.copy_key(node)
    wait_until(
        "n1 reports the key", lambda: secret("set", HOST, "--user", "host", word=WORD, expect=None) == 0
    )
    one_way = "    chap: {user: host}"
    one_node.ctl.apply(example(one_node, "chap", one_way))
    assert refused(one_node)
    assert refused(one_node, username="host", password=WORD + "!")
    assert refused(one_node, username="other", password=WORD)
    wait_until("the refusals are explained", lambda: "its CHAP credentials are wrong" in explained(one_node))
    assert f"-> lunmapctl secret set {HOST}" in explained(one_node)
    assert not refused(one_node, username="host", password=WORD)

    secret("set", HOST, "--mutual", "--user", "san", word=ANSWER)
    both = f"{one_way}\n    mutual_chap: {{user: san}}"
    one_node.ctl.apply(example(one_node, "mutual-chap", both))
    right = {"username": "host", "password": WORD, "username_in": "san", "password_in": ANSWER}
    assert not refused(one_node, **right)
    assert refused(one_node, **right | {"password_in": ANSWER + "!"})

    secret("set-discovery", "n1", "--user", "look", word=DISCOVERED)
    one_node.ctl.apply(example(one_node, "mutual-chap", both, "discovery: {chap: {user: look}},"))
    with pytest.raises(CommandFailed):
        one_node.initiator.discover(node.machine.address)
    one_node.ctl.apply(example(one_node, "mutual-chap", both))
    one_node.initiator.discover(node.machine.address)

    said = node.log() + one_node.ctl("get").out + str(one_node.ctl.status())
    assert all(word not in said for word in (WORD, ANSWER, DISCOVERED))
