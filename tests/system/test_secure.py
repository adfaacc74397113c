"""A node in a closed tree, over TLS, with the real unit."""

from pathlib import Path

import pytest

from lab import Lab
from lab.wait import wait_until
from support.cluster import Ctl, StorageNode, settings
from support.secure import Secure, secure

pytestmark = pytest.mark.kernel

TLS = "/etc/lunmapd/tls"
DROP_IN = f"[Service]\nLoadCredential=key:{TLS}/n1.key\n"


def as_admin(servers: Secure, directory: Path) -> Ctl:
    """Give lunmapctl with the admin's login."""
    path = directory / "admin.yaml"
    login = servers.login("admin")
    sasl = f"  sasl: {{user: admin, password_file: {login.password}}}\n"
    path.write_text(settings("admin", servers.ensemble.hosts) + sasl)
    return Ctl(None, None, ("-c", str(path)))


def configure(node: StorageNode, servers: Secure) -> None:
    """Give a node its settings and a certificate, whose key only systemd may read for it."""
    pair = servers.authority.issue("n1")
    node.configure(servers.tls_hosts)
    tls = f"  tls: {{ca: {TLS}/ca.pem, certificate: {TLS}/n1.pem, key: 'credentials:key'}}\n"
    node.machine.put("/etc/lunmapd/lunmapd.yaml", settings("n1", servers.tls_hosts) + tls)
    node.machine.put(f"{TLS}/ca.pem", servers.authority.ca.read_text())
    node.machine.put(f"{TLS}/n1.pem", pair.certificate.read_text())
    node.machine.put(f"{TLS}/n1.key", pair.key.read_text(), mode=0o600)
    node.machine.put("/etc/systemd/system/lunmapd.service.d/credentials.conf", DROP_IN)
    node.machine.run("systemctl daemon-reload")


def test_a_node_serves_from_a_closed_tree(lab: Lab, tmp_path: Path) -> None:
    """With a certificate, and a key as a credential of systemd, a node follows a map that only it may read.

    A reload finds the credential too.
    """
    servers = secure(lab)
    node = StorageNode(lab.machine("n1", init="systemd", memory="512M"))
    ctl = as_admin(servers, tmp_path)
    ctl("init", "--acl")
    configure(node, servers)
    node.machine.run("systemctl start lunmapd")
    log = "journalctl --sync; journalctl -u lunmapd -o cat"
    expected = "lunmapctl acl grant node n1=x509:CN=n1"
    wait_until("the node is told that it may not", lambda: expected in node.machine.run(log).stdout)
    ctl("acl", "grant", "node", "n1=x509:CN=n1")
    ctl.apply(f"nodes: {{n1: {{tpg_tag: 1, portals: [{node.machine.address}]}}}}\n")
    wait_until("the node has applied it", lambda: ctl.status()["nodes"]["n1"]["applied"] == 1)
    assert ctl.status()["nodes"]["n1"]["alive"]
    node.machine.run("systemctl reload lunmapd")
    assert ctl("acl", "show", "--check").out.endswith("0 znodes have another ACL\n")
