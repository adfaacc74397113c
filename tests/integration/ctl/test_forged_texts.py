"""Texts of others on the terminal: whatever they hold, they stay in their line and control nothing."""

import json

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, Note
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.core.fleet.status import Condition, Failing, NodeStatus
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import register, write_status
from support.cluster import Ctl
from support.commits import NOW
from support.plain_client import PlainClient
from support.sessions import LIVE

pytestmark = pytest.mark.integration

HOSTILE = "a\nn2: all is well\r\x1b]0;title\x07\x9b2J\u202e | revision=9"
SHOWN = r"a\nn2: all is well\r\x1b]0;title\x07\x9b2J\u202e | revision=9"
HOST = "iqn.2026-01.org.example:host1"


@pytest.fixture
def hostile(session: Session) -> Session:
    """Give a session on a tree where a node and a commit have every kind of control character."""
    failing = Failing(HOSTILE, HOSTILE, HOSTILE)
    condition = Condition("Applied", status=False, reason=HOSTILE, message=HOSTILE, since=NOW)
    register(session, "n1", replace(LIVE, since=HOSTILE))
    write_status(session, "n1", NodeStatus("b1", HOSTILE, NOW, None, None, (condition,), (failing,), 1))
    Client(session).apply(Lunmap(initiators={HOST: Initiator(alias="x")}), Note(HOSTILE, HOSTILE))
    with PlainClient(session) as client:
        client.create("luns/odd", json.dumps({HOSTILE: 1}).encode())
    return session


VERBS = (
    ("status",),
    ("status", "--luns", "-o", "json"),
    ("check",),
    ("log",),
    ("log", "-o", "json"),
    ("show", "1"),
    ("get",),
    ("get", "initiators"),
)


def test_no_text_of_the_tree_controls_the_terminal(hostile: Session, ctl: Ctl) -> None:
    """No verb prints a control character or the start of a line that a text of the tree forged."""
    del hostile
    for verb in VERBS:
        answer = ctl(*verb, expect=None)
        assert answer.out, verb
        for text in (answer.out, answer.err):
            assert all(char == "\n" or char.isprintable() for char in text), verb
            assert not any(line.startswith("n2: all is well") for line in text.splitlines()), verb


def test_what_was_said_is_shown(hostile: Session, ctl: Ctl) -> None:
    """The escaped text is complete, JSON has the text itself, and `check` prints one line with one figure."""
    del hostile
    assert SHOWN in ctl("status", expect=6).out
    nodes = json.loads(ctl("status", "-o", "json", expect=6).out)["nodes"]
    assert nodes[0]["since"] == HOSTILE
    (line,) = ctl("check", expect=1).out.splitlines()
    assert line.count("|") == 1
    assert line.count("revision=1 ") == 1
    assert line.rpartition(" | ")[0].count(SHOWN.replace("|", "/")) > 0


def test_an_error_is_one_line(session: Session, ctl: Ctl) -> None:
    """An error that quotes the tree has one line."""
    with PlainClient(session) as client:
        client.set("head", json.dumps({HOSTILE: 1}).encode())
    answer = ctl("get", expect=1)
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("lunmapctl: the tree is damaged")
