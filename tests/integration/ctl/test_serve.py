"""`lunmapctl serve` and `status -o html`, with a real ZooKeeper."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, Note
from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.fleet.status import Condition, Failing, NodeStatus
from lunmapd.core.node.observed import LoginCounters
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import register, write_status
from support.agents import AgentFactory, H, T, mapped_luns, put_checked
from support.cluster import Ctl
from support.commits import NOW
from support.html import cells, parse_html, table_of
from support.page_server import serving
from support.relay import Relay
from support.sessions import LIVE

pytestmark = pytest.mark.integration

FORGED = "<script>alert(1)</script>\"'\n\x1b]0;t\x07\u202e"


def test_pages_show_the_cluster(session: Session, make_agent: AgentFactory, ctl: Ctl, tmp_path: Path) -> None:
    """The sentence, a Lun with its host, a refused login, and each revision with its changes."""
    put_checked(session, mapped_luns(1))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.log_in(T, H)
    make_agent.kernel.login_counters = (LoginCounters(T, 2, 0, 2, 0, H, "100.64.0.5"),)
    agent.run_cycle()
    with serving(tmp_path, session.hosts, session.root) as server:
        home = parse_html(server.wait(200).text)
        assert home.one("main").text.partition("Nodes and")[0].strip().startswith("Overview")
        assert "All is well: 1 node; 1 Lun: 1 ok." in home.text
        assert cells(table_of(home, "Nodes and the last revisions"))[1][:3] == ["n1", "alive", "converged"]
        ((lun, *_, through, hosts),) = cells(table_of(home, "Luns"))[1:]
        assert (lun, through, hosts) == ("l1", "n1 ok", "1/1 logged in")
        refused = cells(table_of(home, "Refused logins of the last minutes"))[1]
        assert (refused[0], refused[2]) == ("n1", "2")
        call = f"lunmapctl --config {tmp_path}/page.yaml --chroot {session.root}"
        assert refused[4].startswith(f"{call} secret set {H} --user USER, and")
        host = parse_html(server.get(f"/hosts/{H}").text)
        assert cells(table_of(host, "Luns"))[1][2] == "l1"
        assert "+ luns/l1" in parse_html(server.get("/history/1").text).text
        assert cells(table_of(parse_html(server.get("/history").text), "History, newest first"))[1][0] == "1"
        assert server.get("/history/2").status == 404
        assert server.get("/", Host="evil.example").status == 421
        addresses = ("/", "/luns", "/history", "/history/1") * 5
        with ThreadPoolExecutor(len(addresses)) as readers:
            assert {answer.status for answer in readers.map(server.get, addresses)} == {200}
    answer = ctl("status", "-o", "html")
    assert "All is well: 1 node; 1 Lun: 1 ok." in parse_html(answer.out).text


def test_no_text_of_the_tree_becomes_markup(session: Session, tmp_path: Path) -> None:
    """Neither that of a node, nor that of a commit: it is shown with escapes."""
    failing = Failing(FORGED, FORGED, FORGED)
    condition = Condition("Applied", status=False, reason=FORGED, message=FORGED, since=NOW)
    register(session, "n1", replace(LIVE, since=FORGED))
    write_status(session, "n1", NodeStatus("b1", FORGED, NOW, None, None, (condition,), (failing,), 1))
    lunmap = replace(mapped_luns(1), initiators={H: Initiator(alias="x")})
    Client(session).apply(lunmap, Note(FORGED, FORGED))
    with serving(tmp_path, session.hosts, session.root) as server:
        for address in ("/", "/nodes/n1", "/history", "/history/1"):
            text = server.get(address).text
            assert all(char == "\n" or char.isprintable() for char in text), address
            document = parse_html(text)
            assert list(document.all("script")) == []
            assert r"\n\x1b]0;t\x07\u202e" in document.text, address


def test_an_absent_zookeeper_is_stated_with_the_age(session: Session, ctl: Ctl, tmp_path: Path) -> None:
    """The page stays as it was, unavailable; it is new again once a server answers."""
    put_checked(session, mapped_luns(1))
    del ctl
    with (
        Relay(session.hosts) as relay,
        serving(tmp_path, relay.hosts, session.root) as server,
    ):
        before = server.wait(200)
        relay.shut = True
        relay.drop()
        answer = server.wait(503)
        assert "could not be read: " in answer.text
        assert "This is the state of 20" in answer.text
        assert answer.headers["Retry-After"] == "5"
        assert cells(table_of(parse_html(answer.text), "Luns")) == cells(
            table_of(parse_html(before.text), "Luns")
        )
        assert server.wait(503, "/history").headers["Retry-After"] == "5"
        relay.shut = False
        assert "ZooKeeper could not be read" not in server.wait(200).text
