"""A ZooKeeper ensemble with TLS, certificates for its clients, and users for SASL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lunmapd.core.base.password import Secret
from lunmapd.core.base.permissions.access import parse_principal, with_password
from lunmapd.store.session.credentials import Credentials, PasswordLogin, Tls
from lunmapd.store.session.session import Session
from support.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lab import Ensemble, Lab

TLS_PORT = 2281
SUPERUSER, SUPER_WORDS = "super", "the superuser's secret"
USERS = {"admin": "admin's secret", "n1": "n1's secret", "n2": "n2's secret", "reader": "reader's secret"}
_NETTY = "org.apache.zookeeper.server.NettyServerCnxnFactory"
_PROVIDERS = "org.apache.zookeeper.server.auth"
_MODULE = f"{_PROVIDERS}.DigestLoginModule"

Open = Callable[..., Session]
"""A function that opens a session for a user, given by name."""


@dataclass(frozen=True)
class Secure:
    """An ensemble that takes TLS with client certificates at one port, and anything at the other."""

    ensemble: Ensemble
    authority: Authority
    directory: Path

    @property
    def tls_hosts(self) -> str:
        """The servers' ports for TLS."""
        return ",".join(f"{server.place.address}:{TLS_PORT}" for server in self.ensemble.servers)

    def tls(self, name: str | None = "client", authority: Authority | None = None) -> Credentials:
        """Make a certificate for CN=`name` (None: show none)."""
        if name is None:
            return Credentials(Tls(self.authority.ca))
        pair = (authority or self.authority).issue(name)
        return Credentials(Tls(self.authority.ca, pair.certificate, pair.key))

    def login(self, user: str, password: str | None = None) -> PasswordLogin:
        """Write a user's password into a file; by default the right one."""
        path = self.directory / f"{user}.password"
        path.touch(mode=0o600)
        path.write_text((USERS[user] if password is None else password) + "\n")
        return PasswordLogin(user, path)

    def set_users(self, users: Mapping[str, str]) -> None:
        """Write the servers' users; servers read them when they start."""
        entries = " ".join(f'user_{user}="{password}"' for user, password in users.items())
        (self.directory / "jaas.conf").write_text(f"Server {{ {_MODULE} required {entries}; }};\n")


def secure(lab: Lab, *, config: Mapping[str, str] | None = None) -> Secure:
    """Make one server with TLS and SASL, and start it."""
    directory = lab.state / f"secure{len(lab.ensembles)}"
    inside = f"/lab/state/{directory.name}"
    settings = {
        "secureClientPort": str(TLS_PORT),
        "serverCnxnFactory": _NETTY,
        "ssl.keyStore.location": f"{inside}/store.pem",
        "ssl.trustStore.location": f"{inside}/ca.pem",
        "authProvider.sasl": f"{_PROVIDERS}.SASLAuthenticationProvider",
        "authProvider.x509": f"{_PROVIDERS}.X509AuthenticationProvider",
        "DigestAuthenticationProvider.superDigest": _super_digest(),
        **(config or {}),
    }
    jaas = f"-Djava.security.auth.login.config={inside}/jaas.conf"
    ensemble = lab.ensemble(1, config=settings, jvm=[jaas], start=False)
    made = Secure(ensemble, Authority(directory), directory)
    made.set_users(USERS)
    _certify(made, (server.place.address for server in ensemble.servers))
    ensemble.start()
    return made


def _super_digest() -> str:
    return with_password(parse_principal(f"digest:{SUPERUSER}"), Secret(SUPER_WORDS)).id


def _certify(made: Secure, places: Iterable[str]) -> None:
    pair = made.authority.issue("zookeeper", list(places))
    (made.directory / "store.pem").write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
