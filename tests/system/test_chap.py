"""CHAP from the admin's prompt to the login of an initiator, on a real kernel."""

import re
from pathlib import Path

import pytest

from lab import CommandFailed
from lab.wait import wait_until
from support.cluster import HOST, SAN, Cluster

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


def test_only_who_knows_the_password_gets_in(one_node: Cluster, tmp_path: Path) -> None:
    """Only initiators with the passwords log in with CHAP and mutual CHAP.

    A node without the key is reported.
    """
    key_file, (node,) = tmp_path / "secrets.key", one_node.nodes

    def secret(*args: str, word: str = "", expect: int | None = 0) -> int:
        argv = ("secret", "--key-file", str(key_file), *args)
        return one_node.ctl(*argv, stdin=f"{word}\n", expect=expect).status

    one_node.ctl.apply(example(one_node))
    one_node.initiator.discover(node.machine.address)
    assert not refused(one_node)
    secret("new-key")
    assert secret("set", HOST, "--user", "host", word=WORD, expect=None) == 6
    node.machine.put("/etc/lunmapd/secrets.key", key_file.read_text(), mode=0o600)
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
