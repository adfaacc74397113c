"""The credentials of a session: how it authenticates itself, and how it verifies the servers.

The files are read again for each client or connection, so that a renewed or corrected file takes effect.
"""

import ssl
from pathlib import Path

from msgspec import Struct

from lunmapd.store.session.access_errors import CredentialsError, SaslMissingError
from lunmapd.store.session.secret_files import NOT_OTHERS, check_private, read_secret


class Tls(Struct, frozen=True):
    """The files of TLS: the CA certificates, and the client's certificate and key.

    The servers' certificates must chain to a certificate in `ca`. `certificate` and `key` are both set or
    both None. `key_password` is a file with the password of `key`.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    key_password: Path | None = None
    verify_hostname: bool = True


class PasswordLogin(Struct, frozen=True):
    """A user name, and the file with the password."""

    user: str
    password: Path


class Credentials(Struct, frozen=True):
    """The credentials that a session presents to the servers; several may be given, and all are used."""

    tls: Tls | None = None
    sasl: PasswordLogin | None = None
    digest: PasswordLogin | None = None


ANONYMOUS = Credentials()


def has_sasl() -> bool:
    """Return whether the library for SASL is installed."""
    from importlib.util import find_spec  # noqa: PLC0415 - a session without SASL does not need it

    return find_spec("puresasl") is not None


def sasl_options(login: PasswordLogin) -> dict[str, str]:
    """Return the SASL options of kazoo.client.KazooClient. Raises CredentialsError, SaslMissingError."""
    if not has_sasl():
        raise SaslMissingError
    return {
        "mechanism": "DIGEST-MD5",
        "username": login.user,
        "password": read_secret(login.password).text,
    }


def digest_auth(login: PasswordLogin) -> str:
    """Return the auth data of ZooKeeper's scheme `digest`. Raises CredentialsError."""
    return f"{login.user}:{read_secret(login.password).text}"


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the SSL context for connections to servers. Raises CredentialsError if a file can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.verify_hostname
    check_private(tls.ca, 0)
    try:
        context.load_verify_locations(tls.ca)
    except OSError as error:
        raise CredentialsError(tls.ca, _why(error, "it holds no certificates in PEM format")) from None
    if tls.certificate is not None and tls.key is not None:
        _load_own(context, tls.certificate, tls.key, tls.key_password)
    return context


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path, key_password: Path | None) -> None:
    check_private(certificate, 0)
    check_private(key, NOT_OTHERS)
    # Without a password callback OpenSSL would prompt on the terminal.
    password = "" if key_password is None else read_secret(key_password).text
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)
    except OSError as error:
        raise CredentialsError(
            certificate, _why(error, f"it, the key {key} and the key's password do not match")
        ) from None


def _why(error: OSError, otherwise: str) -> str:
    """Return why a file can't be used; OpenSSL's own text does not name the file or the remedy."""
    return otherwise if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
