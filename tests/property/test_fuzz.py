"""Random maps, drift, kills, holds and out-of-band edits on the fake LIO; `make fuzz` tries more of them."""

import logging
from collections.abc import Iterator

import pytest

from fuzz.fake import Fake
from fuzz.search import MEMORY, Count, search

STEPS = 10_000


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log nothing: each step has a line."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
def test_every_law_is_kept() -> None:
    """No sequence breaks a law of tests/fuzz/laws.py. The message shows how to repeat one that does."""
    found = search(0, STEPS, Fake, MEMORY, Count())
    assert found is None, str(found)
