"""Permissions by lunmapctl: its verbs, its messages and what it refuses."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kazoo.security import OPEN_ACL_UNSAFE

from lab.wait import wait_until
from support.cluster import Answer, Ctl
from support.secure import Open, Secure

pytestmark = pytest.mark.integration


@pytest.fixture
def ctl_as(servers: Secure, root: str, tmp_path: Path) -> Callable[..., Answer]:
    """Give lunmapctl as one of the users, with that user's settings file."""

    def run(user: str, *args: str, expect: int = 0) -> Answer:
        settings = tmp_path / f"{user}.yaml"
        login = servers.login(user)
        settings.write_text(
            f"zookeeper:\n  hosts: ['{servers.ensemble.hosts}']\n  chroot: {root}\n"
            f"  sasl: {{user: {user}, password_file: {login.password}}}\n"
        )
        return Ctl(None, None, ("-c", str(settings)))(*args, expect=expect)

    return run


def test_the_command_line_closes_a_tree(ctl_as: Callable[..., Answer]) -> None:
    """From init to a revoked reader with lunmapctl alone, with its messages on the way."""
    assert ctl_as("admin", "acl", "whoami").out == "sasl:admin\n"
    ctl_as("admin", "init", "--acl")
    denied = ctl_as("reader", "get", expect=1)
    assert "sasl:reader has no permission" in denied.err
    assert "lunmapctl acl grant reader sasl:reader" in denied.err
    granted = ctl_as("admin", "acl", "grant", "reader", "sasl:reader")
    assert granted.out.startswith("sasl:reader is reader, ")
    ctl_as("reader", "get")
    ctl_as("admin", "acl", "grant", "node", "n1=x509:CN=n1,O=Example")
    shown = ctl_as("admin", "acl", "show", "--check")
    assert [line.split() for line in shown.out.splitlines()[1:4]] == [
        ["admin", "-", "sasl:admin"],
        ["reader", "-", "sasl:reader"],
        ["node", "n1", "x509:CN=n1,O=Example"],
    ]
    assert shown.out.endswith("0 znodes have another ACL\n")
    revoked = ctl_as("admin", "acl", "revoke", "node", "n1")
    assert re.fullmatch(r"removed every principal of node n1 \(\d+ znodes changed\)\n", revoked.out)
    revoked = ctl_as("admin", "acl", "revoke", "reader", "sasl:reader")
    assert revoked.out.startswith("removed sasl:reader from reader (")
    assert '"readers": []' in ctl_as("admin", "acl", "show", "-o", "json").out
    assert (
        "you (sasl:admin) would not be an admin"
        in ctl_as("admin", "acl", "revoke", "admin", "sasl:admin", expect=4).err
    )


def test_strays_are_found_and_mended(ctl_as: Callable[..., Answer], connect_as: Open) -> None:
    """A znode with a manually opened ACL is counted, with exit code 6, and closed by repeating a grant."""
    ctl_as("admin", "init", "--acl")
    session = connect_as("admin")
    wait_until("the session is connected", lambda: session.connected)
    session.link.current.set_acls(session.path("luns"), OPEN_ACL_UNSAFE)
    assert "1 znodes have another ACL" in ctl_as("admin", "acl", "show", "--check", expect=6).out
    ctl_as("admin", "acl", "grant", "admin", "sasl:admin")
    ctl_as("admin", "acl", "show", "--check")


def test_digests_are_granted_with_a_password_file(ctl_as: Callable[..., Answer], servers: Secure) -> None:
    """A digest needs its hash or a file with the password, and an open tree is reported as open."""
    ctl_as("admin", "init")
    assert "needs --password-file" in ctl_as("admin", "acl", "grant", "reader", "digest:bob", expect=2).err
    file = servers.login("bob", "bob's secret").password
    granted = ctl_as("admin", "acl", "grant", "reader", "digest:bob", "--password-file", str(file))
    assert granted.out.startswith("digest:bob is reader, ")
    assert "the tree is open to everybody" in granted.err
    assert "the tree is open: everybody is an admin" in ctl_as("admin", "acl", "show").out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("grant", "reader", "bob"), "'bob' is not a principal"),
        (("grant", "node", "n1"), "write NODE=PRINCIPAL"),
        (("revoke", "admin", "n1=sasl:n1"), "is not a principal"),
        (("grant", "owner", "sasl:bob"), "'owner' is not one of"),
    ],
)
def test_wrong_usage_is_said(ctl_as: Callable[..., Answer], args: tuple[str, ...], message: str) -> None:
    """An invalid identity, node or role is refused as wrong usage before a server is asked."""
    assert message in ctl_as("admin", "acl", *args, expect=2).err
