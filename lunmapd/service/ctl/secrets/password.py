"""Where a verb gets a password from: it asks, reads it, or makes one and hands it over once."""

import secrets
import string
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from lunmapd.core.base.password import Secret
from lunmapd.core.secrets.sealing import UnfitPasswordError, check_password, warn_password
from lunmapd.files import create_private
from lunmapd.service.ctl.secrets.options import PasswordSource
from lunmapd.service.ctl.text.output import committed_revision
from lunmapd.service.output import echo
from lunmapd.store.commit.commit_errors import CommitInterruptedError, OutcomeUnknownError
from lunmapd.store.session.secret_files import read_secret

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 16
"""The longest that every initiator takes; 95 bits."""


@contextmanager
def obtained_password(source: PasswordSource, *, is_trial: bool = False) -> Iterator[Secret]:
    """Give a password. A generated one is handed over once the body, which commits it, ends.

    Its file is written before. After an error nothing is handed over, unless the map may have the password
    all the same; with `is_trial` nothing ever is. Raises CredentialsError, UnfitPasswordError, OSError.
    """
    if not (source.generate or source.generate_to):
        yield _checked(read_secret(source.file) if source.file else _ask())
        return
    password = Secret("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))
    if is_trial:
        yield password
        return
    if source.generate_to is not None:
        create_private(source.generate_to, f"{password.text}\n".encode())
    try:
        yield password
    except BaseException as error:
        if _may_be_committed(error):
            _hand_over(source, password)
        elif source.generate_to is not None:
            source.generate_to.unlink()
        raise
    _hand_over(source, password)


def _may_be_committed(error: BaseException) -> bool:
    """Return whether the map may have the password, although the verb ended with `error`."""
    return committed_revision() is not None or isinstance(error, CommitInterruptedError | OutcomeUnknownError)


def _hand_over(source: PasswordSource, password: Secret) -> None:
    if source.generate_to is None:
        echo(f"password, shown only now: {password.text}")
    else:
        echo(f"wrote the password to {source.generate_to}")


def _ask() -> Secret:
    if sys.stdin.isatty():
        return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return Secret(sys.stdin.readline().rstrip("\r\n"))


def _checked(password: Secret) -> Secret:
    if sentence := check_password(password):
        raise UnfitPasswordError(sentence)
    if sentence := warn_password(password):
        echo(f"lunmapctl: warning: {sentence}", err=True)
    return password
