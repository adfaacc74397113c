"""CHAP from the admin's prompt to the login of an initiator, on a real kernel."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import CommandFailed
from lab.pytest_plugin import NewLab
from lab.wait import wait_until
from support.cluster import HOST, SAN, Cluster, bring_up

pytestmark = pytest.mark.kernel

WORD, ANSWER, DISCOVERED = "the hosts own word", "the answer of san", "who may look at me"


@pytest.fixture(scope="module")
def cluster(new_lab: NewLab) -> Iterator[Cluster]:
    """Give a cluster of one node, without a map."""
    with new_lab() as lab:
        yield bring_up(lab, nodes=1)


def example(cluster: Cluster, authentication: str = "none", chap: str = "", discovery: str = "") -> str:
    """Return the example map for one node, with what the target and discovery ask for."""
    text = cluster.example().replace("[n1, n2, n3]", "[n1]")
    text = text.replace("authentication: none", f"authentication: {authentication}")
    text = text.replace("alias: database host", f"alias: database host\n{chap}")
    text = re.sub(r"^  n[23]:.*\n", "", text, flags=re.MULTILINE)
    return text.replace("{tpg_tag: 1,", f"{{tpg_tag: 1, {discovery}")


def refused(cluster: Cluster, **chap: str) -> bool:
    """Tell whether a login with these credentials fails."""
    cluster.initiator.chap(**chap)
    try:
        cluster.initiator.login(SAN)
    except CommandFailed:
        return True
    cluster.initiator.logout(SAN)
    wait_until("the sessions are closed", lambda: not cluster.nodes[0].has_sessions())
    return False


def test_only_who_knows_the_password_gets_in(cluster: Cluster, tmp_path: Path) -> None:
    """CHAP and mutual CHAP let in who knows the passwords and nobody else; a node without the key is told in advance."""
    key_file, (node,) = tmp_path / "secrets.key", cluster.nodes

    def secret(*args: str, word: str = "", expect: int | None = 0) -> int:
        argv = ("secret", "--key-file", str(key_file), *args)
        return cluster.ctl(*argv, stdin=f"{word}\n", expect=expect).status

    cluster.ctl.apply(example(cluster))
    cluster.initiator.discover(node.machine.address)
    assert not refused(cluster)
    secret("new-key")
    assert secret("set", HOST, "--user", "host", word=WORD, expect=None) == 6
    node.machine.put("/etc/lunmapd/secrets.key", key_file.read_text(), mode=0o600)
    wait_until(
        "n1 reports the key", lambda: secret("set", HOST, "--user", "host", word=WORD, expect=None) == 0
    )
    one_way = "    chap: {user: host}"
    cluster.ctl.apply(example(cluster, "chap", one_way))
    assert refused(cluster)
    assert refused(cluster, username="host", password=WORD + "!")
    assert refused(cluster, username="other", password=WORD)
    assert not refused(cluster, username="host", password=WORD)

    secret("set", HOST, "--mutual", "--user", "san", word=ANSWER)
    both = f"{one_way}\n    mutual_chap: {{user: san}}"
    cluster.ctl.apply(example(cluster, "mutual-chap", both))
    right = {"username": "host", "password": WORD, "username_in": "san", "password_in": ANSWER}
    assert not refused(cluster, **right)
    assert refused(cluster, **right | {"password_in": ANSWER + "!"})

    secret("set-discovery", "n1", "--user", "look", word=DISCOVERED)
    cluster.ctl.apply(example(cluster, "mutual-chap", both, "discovery: {chap: {user: look}},"))
    with pytest.raises(CommandFailed):
        cluster.initiator.discover(node.machine.address)
    cluster.ctl.apply(example(cluster, "mutual-chap", both))
    cluster.initiator.discover(node.machine.address)

    said = node.log() + cluster.ctl("get").out + str(cluster.ctl.status())
    assert all(word not in said for word in (WORD, ANSWER, DISCOVERED))
