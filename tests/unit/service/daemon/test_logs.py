"""The daemon's log on standard error."""

import logging
from collections.abc import Iterator

import pytest

from lunmapd.service.daemon.logs import set_up_logging


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a root logger of the test's own, and put back that of pytest."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root, kazoo = logging.getLogger(), logging.getLogger("kazoo")
    handlers, levels = root.handlers[:], (root.level, kazoo.level)
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    kazoo.setLevel(levels[1])


@pytest.mark.usefixtures("own_handlers")
def test_a_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A message that quotes control characters shows them, and stays in its line."""
    set_up_logging("info", "n1")
    logging.getLogger("lunmapd.test").warning("said %s", "a\nb\x1b[2J")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"WARNING said a\nb\x1b[2J")
