"""Sessions with credentials: one server with TLS and SASL for all tests, which none harms."""

from collections.abc import Iterator

import pytest

from lab import Lab
from support.secure import Secure, secure


@pytest.fixture(scope="session")
def servers(lab: Lab) -> Iterator[Secure]:
    """Give a server that knows users and certificates."""
    made = secure(lab)
    yield made
    made.ensemble.kill()
