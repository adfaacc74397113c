"""Sessions with credentials: one server with TLS and SASL for each module."""

from collections.abc import Iterator

import pytest

from lab import Lab
from support.secure import Secure, secure


@pytest.fixture(scope="module")
def servers(lab: Lab) -> Iterator[Secure]:
    """Give a server that knows users and certificates."""
    made = secure(lab)
    yield made
    made.ensemble.kill()
