"""The log of kazoo, with any level that a program sets."""

import logging

import pytest
from kazoo.client import KazooClient
from kazoo.protocol.serialization import Auth

from lunmapd.store.session.client import make_client
from lunmapd.store.session.credentials import ANONYMOUS
from lunmapd.store.session.dial import Dialler
from lunmapd.store.session.handler import WatchedHandler


def client() -> KazooClient:
    """Make a client that is not connected."""
    return make_client("127.0.0.1:9", 10.0, WatchedHandler(Dialler("127.0.0.1:9", 10.0)), ANONYMOUS)


def test_no_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The request that logs in holds the password, and a read of a large tree is thousands of requests."""
    kazoo = client().logger
    with caplog.at_level(logging.DEBUG), caplog.at_level(1, "kazoo.client"):
        kazoo.debug("Sending request(xid=%s): %s", -4, Auth(0, "digest", "n1:a password"))
        kazoo.log(5, "    Using session_id: %r session_passwd: %s", 1, b"a password")
        kazoo.debug("Received response(xid=%s): %r", 3, b"a document")
    assert not caplog.records


def test_events_and_states_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Lines about the connection stay, at level debug."""
    kazoo = client().logger
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "kazoo"):
        kazoo.debug("Received EVENT: %s", "head changed")
        kazoo.info("Zookeeper connection lost")
    assert len(caplog.records) == 2
