"""How a session proves who it is, and how the servers prove it to the session.

All files are read anew with each client or connection, so that what was renewed or corrected is taken up.
"""

import importlib.util
import ssl
from pathlib import Path

from msgspec import Struct

from lunmapd.store.session.access_errors import CredentialsError, SaslMissingError
from lunmapd.store.session.secret_files import NOT_OTHERS, check_private, read_secret


class Tls(Struct, frozen=True):
    """The files of TLS: who signs the servers' certificates, and our own certificate with its key, or neither."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    key_password: Path | None = None
    verify_hostname: bool = True


class PasswordLogin(Struct, frozen=True):
    """A user, and the file with the password."""

    user: str
    password: Path


class Credentials(Struct, frozen=True):
    """What a session shows to the servers; all of it at once, when several are given."""

    tls: Tls | None = None
    sasl: PasswordLogin | None = None
    digest: PasswordLogin | None = None


ANONYMOUS = Credentials()


def has_sasl() -> bool:
    """Tell whether the library is installed that SASL needs."""
    return importlib.util.find_spec("puresasl") is not None


def sasl_options(login: PasswordLogin) -> dict[str, str]:
    """Make what kazoo wants for SASL (kazoo.client.KazooClient). Raises CredentialsError, SaslMissingError."""
    if not has_sasl():
        raise SaslMissingError
    return {
        "mechanism": "DIGEST-MD5",
        "username": login.user,
        "password": read_secret(login.password).text,
    }


def digest_auth(login: PasswordLogin) -> str:
    """Make what ZooKeeper's scheme `digest` wants. Raises CredentialsError."""
    return f"{login.user}:{read_secret(login.password).text}"


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Make what opens TLS connections. Raises CredentialsError for a file that can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.verify_hostname
    try:
        context.load_verify_locations(tls.ca)
    except OSError as error:
        raise CredentialsError(tls.ca, _why(error, "it holds no certificates in PEM format")) from None
    if tls.certificate is not None and tls.key is not None:
        _load_own(context, tls.certificate, tls.key, tls.key_password)
    return context


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path, key_password: Path | None) -> None:
    check_private(key, NOT_OTHERS)
    # Without a password at hand OpenSSL would ask for one on the terminal.
    password = "" if key_password is None else read_secret(key_password).text
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)
    except OSError as error:
        raise CredentialsError(
            certificate, _why(error, f"it, the key {key} and its password don't fit")
        ) from None


def _why(error: OSError, otherwise: str) -> str:
    """Say what is wrong with a file; OpenSSL's own words for it help nobody."""
    return otherwise if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
