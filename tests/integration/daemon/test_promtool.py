"""Prometheus' own tools judge the alert rules and the dashboard, on a real scrape."""

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest

from lab import wait_for
from lab.build.apt import extract, release
from lab.build.cache import build_once, cache_directory
from lab.wait import PATIENCE
from lunmapd.core.fleet.status import GroupPhase, GroupStatus
from lunmapd.service.daemon.metrics.collector import Metrics
from lunmapd.service.daemon.metrics.server import served
from lunmapd.store.session.session import Session
from support.agents import MAP, AgentFactory, put_checked
from support.node_metrics import full

pytestmark = pytest.mark.integration

RULES = Path("config/prometheus")
HOST = "127.90.90.1"
DASHBOARD = Path("config/grafana/lunmapd.json")
_SETTINGS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: lunmapd
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def tools() -> Path:
    """Give Debian's prometheus and promtool, only unpacked: an installation would start a server."""
    tree = build_once(cache_directory() / f"tools/prometheus-{release()}", _unpack, "promtool")
    return tree / "usr/bin"


def _unpack(target: Path) -> None:
    extract("prometheus", target)
    if not (target / "usr/bin/promtool").exists():  # Debian 13 has it in a package of its own
        extract("promtool", target)


def run(tools: Path, *words: str, stdin: bytes = b"") -> str:
    """Run promtool; returns its output. Raises CalledProcessError."""
    return subprocess.run(
        [tools / "promtool", *words], input=stdin, capture_output=True, check=True, timeout=PATIENCE
    ).stdout.decode()


def test_the_rules_are_rules(tools: Path) -> None:
    """Promtool reads every alert."""
    assert "16 rules found" in run(tools, "check", "rules", str(RULES / "lunmapd.rules.yml"))


def test_the_alerts_come_when_they_should(tools: Path) -> None:
    """Each alert is raised by its problem, and not before."""
    assert "SUCCESS" in run(tools, "test", "rules", str(RULES / "lunmapd.test.yml"))


def test_a_scrape_has_nothing_to_complain_of(tools: Path) -> None:
    """Names, units and help are as Prometheus wants them."""
    assert run(tools, "check", "metrics", stdin=generate_latest(full().registry)) == ""


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes one node every second."""

    address: str

    def ask(self, path: str) -> Any:
        """Return the data of an answer, None until the server is up. Raises HTTPError."""
        try:
            with urlopen(f"http://{self.address}/api/v1/{path}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        except URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        return None

    def query(self, expression: str) -> list[Any]:
        """Return the series that an expression gives now. Raises HTTPError for one that is none."""
        found = self.ask(f"query?query={quote(expression)}")
        return found["result"] if found else []


OWNED = GroupStatus("t", "gold", GroupPhase.OWNER, fit=True)


def free_port() -> int:
    """Return a free port of an address that only these tests use."""
    with socket.create_server((HOST, 0)) as server:
        number: int = server.getsockname()[1]
    return number


@pytest.fixture
def prometheus(
    session: Session, make_agent: AgentFactory, tools: Path, tmp_path: Path
) -> Iterator[Prometheus]:
    """Give Prometheus with our rules, which scrapes an owner of a group that lacks a device."""
    put_checked(session, MAP)
    make_agent.kernel.missing.add("/dev/a")
    agent, metrics = make_agent(), Metrics("n1", lambda: session.connected)
    cycle = agent.run_cycle()
    metrics.note(cycle, replace(agent.status, floating=(OWNED,)), 0.1)
    target, address = f"{HOST}:{free_port()}", f"{HOST}:{free_port()}"
    config = tmp_path / "prometheus.yml"
    config.write_text(_SETTINGS.format(rules=(RULES / "lunmapd.rules.yml").absolute(), target=target))
    words = (
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address={address}",
    )
    with (
        served(metrics.registry, target),
        (tmp_path / "log").open("w") as log,
        subprocess.Popen([tools / "prometheus", *words], stderr=log) as server,
    ):
        yield Prometheus(address)
        server.terminate()


def test_rules_and_dashboard_fit_a_real_scrape(prometheus: Prometheus) -> None:
    """Prometheus scrapes a node, evaluates every alert, and answers each query of the dashboard."""
    wait_for("the node is scraped", lambda: prometheus.query('up{job="lunmapd"} == 1'), bool)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for expression in [target["expr"] for panel in panels for target in panel["targets"]]:
        wait_for(expression, partial(prometheus.query, expression), bool)
    rules = wait_for("the rules", lambda: _rules(prometheus), lambda found: "unknown" not in found.values())
    assert set(rules.values()) == {"ok"}
    assert len(rules) == 16
    raised = wait_for("the alerts", lambda: prometheus.query("ALERTS"), lambda found: len(found) >= 2)
    assert {series["metric"]["alertname"] for series in raised} >= {"LunmapdObjectsFail", "LunmapdTrouble"}


def _rules(prometheus: Prometheus) -> dict[str, str]:
    """Return how the evaluation of each rule went."""
    (group,) = prometheus.ask("rules")["groups"]
    return {rule["name"]: rule["health"] for rule in group["rules"]}
