"""Errors of TLS, authentication and permissions between a session and the servers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lunmapd.core.base.errors import Exit
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.base.reasons import Reason
from lunmapd.store.session.errors import NoAccessError, TreeError, UnreachableError


class TlsFailedError(UnreachableError, reason=Reason.TLS_FAILED):
    """Servers were reached, but the TLS handshake failed.

    `reasons` maps each server (`host:port`) to its reason.
    """

    def __init__(self, hosts: str, deadline: float, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__(hosts, deadline)

    def __str__(self) -> str:
        reasons = "; ".join(f"{server}: {reason}" for server, reason in self.reasons.items())
        return (
            f"no TLS with ZooKeeper at {self.hosts}: {reasons}; "
            "check zookeeper.hosts and zookeeper.tls in the settings, and the servers' certificates"
        )


class CredentialsError(NoAccessError, reason=Reason.CREDENTIALS):
    """A certificate, key or password file at `path` can't be used; `reason` says why."""

    exit_code = Exit.UNUSABLE

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"can't use {path}: {problem}")


class SaslMissingError(TreeError, reason=Reason.SASL_MISSING):
    """The settings ask for SASL, but the SASL library is not installed."""

    exit_code = Exit.INVALID

    def __init__(self) -> None:
        super().__init__(
            "SASL needs a library: apt install python3-pure-sasl, or pip install 'lunmapd[sasl]'"
        )


class NotAuthenticatedError(NoAccessError, reason=Reason.NOT_AUTHENTICATED):
    """The servers were reached, but refused to authenticate this client.

    `login` is the setting below `zookeeper` that holds the refused login; it is empty if no login is set.
    """

    def __init__(self, hosts: str, login: str) -> None:
        problem = (
            f"does not accept the login of zookeeper.{login}"
            if login
            else "requires a login, and the settings have none"
        )
        advice = (
            f"check user and password_file of zookeeper.{login} in the settings, and compare them with "
            "the servers' JAAS file"
            if login
            else "set zookeeper.sasl, or a certificate in zookeeper.tls, in the settings"
        )
        super().__init__(f"ZooKeeper at {hosts} {problem}: {advice}; a running lunmapd retries by itself")


class UnknownIdentityError(TreeError, reason=Reason.UNKNOWN_IDENTITY):
    """The servers do not accept a principal of an ACL (ZooKeeper's InvalidACL)."""

    exit_code = Exit.INVALID

    def __init__(self) -> None:
        super().__init__(
            "the servers do not accept this ACL. Either they have no provider for the principal's scheme "
            "(set authProvider.sasl or authProvider.x509 in zoo.cfg), or an x509 subject is not a name such "
            "as CN=n1,O=Example, or the ACL is to name this client, which is anonymous (set zookeeper.tls or "
            "zookeeper.sasl in the settings)"
        )


class NotPermittedError(NoAccessError, reason=Reason.NOT_PERMITTED):
    """The ACL of a znode forbids the request.

    `who` lists the principals that the servers authenticated this client as. The `role`, or being the node
    `node`, would allow the request.
    """

    def __init__(self, znode: str, who: Sequence[str], role: Role, node: str = "") -> None:
        self.znode, self.who = znode, tuple(who)
        client = " with ".join(who) or "anonymous"
        identity = who[0] if len(who) == 1 else "PRINCIPAL"
        grant = f"node {node}={identity}" if node else f"{role} {identity}"
        super().__init__(
            f"{client} has no permission for {znode}: an admin grants it with 'lunmapctl acl grant {grant}'"
        )
