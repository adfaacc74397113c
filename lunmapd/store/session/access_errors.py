"""What can go wrong between a session and servers that ask who it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lunmapd.core.base.access import Role
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.reasons import Reason
from lunmapd.store.session.errors import NoAccessError, TreeError, UnreachableError


class TlsFailedError(UnreachableError, reason=Reason.TLS_FAILED):
    """Servers were reached, but TLS with them failed; `reasons` tells why, by server."""

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
    """A certificate, key or password file can't be used; `problem` says why."""

    exit_code = Exit.UNUSABLE

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"can't use {path}: {problem}")


class SaslMissingError(TreeError, reason=Reason.SASL_MISSING):
    """The settings ask for SASL, and the library for it is not installed."""

    exit_code = Exit.INVALID

    def __init__(self) -> None:
        super().__init__(
            "SASL needs a library: apt install python3-pure-sasl, or pip install 'lunmapd[sasl]'"
        )


class NotAuthenticatedError(NoAccessError, reason=Reason.NOT_AUTHENTICATED):
    """The servers were reached and refuse who we say we are; `login` is the setting that says it, empty if none does."""

    def __init__(self, hosts: str, login: str) -> None:
        said = (
            f"does not accept the login of zookeeper.{login}" if login else "wants a login, and there is none"
        )
        advice = (
            f"check user and password_file of zookeeper.{login} in the settings, and the same in the servers' JAAS file"
            if login
            else "set zookeeper.sasl in the settings"
        )
        super().__init__(f"ZooKeeper at {hosts} {said}: {advice}; a running lunmapd tries again by itself")


class UnknownIdentityError(TreeError, reason=Reason.UNKNOWN_IDENTITY):
    """The servers don't take an identity for an ACL."""

    exit_code = Exit.INVALID

    def __init__(self) -> None:
        super().__init__(
            "the servers don't take this ACL: either they have no provider for the identity's scheme (authProvider.sasl or "
            "authProvider.x509 in zoo.cfg), or an x509 subject is not a name such as CN=n1,O=Example, or it is to name "
            "you, and you are anonymous"
        )


class NotPermittedError(NoAccessError, reason=Reason.NOT_PERMITTED):
    """The ACL of a znode forbids it. `who` is what the servers take us for; a `role`, or being `node`, would allow it."""

    def __init__(self, znode: str, who: Sequence[str], role: Role, node: str = "") -> None:
        self.znode, self.who = znode, tuple(who)
        us = " with ".join(who) or "anonymous"
        identity = who[0] if len(who) == 1 else "IDENTITY"
        grant = f"node {node}={identity}" if node else f"{role} {identity}"
        super().__init__(
            f"{us} has no permission for {znode}: an admin grants it with 'lunmapctl acl grant {grant}'"
        )
