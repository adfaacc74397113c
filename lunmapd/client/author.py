"""The author of a commit for which none is named."""

import getpass
import os
import socket


def default_author() -> str:
    """Return `user@host`; behind sudo the user who called it, not root. A user without a name is a number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    if user == "root":
        user = os.environ.get("SUDO_USER") or user
    return f"{user}@{socket.gethostname()}"
