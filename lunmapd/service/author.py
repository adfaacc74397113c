"""Who commits, where nobody says otherwise."""

import getpass
import socket


def default_author() -> str:
    """Return `user@host`, for the log."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
