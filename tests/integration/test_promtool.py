"""Prometheus' own tool judges the alert rules, and a real scrape."""

import subprocess
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from unit.service.test_metrics import full

from lab.apt import extract
from lab.cache import build_once, cache_directory

pytestmark = pytest.mark.integration

RULES = Path("config/prometheus")


@pytest.fixture(scope="module")
def promtool() -> str:
    """Give Debian's promtool, which is not installed, since its package would start a server."""
    tree = build_once(
        cache_directory() / "tools/prometheus", lambda target: extract("prometheus", target), "promtool"
    )
    return str(tree / "usr/bin/promtool")


def run(promtool: str, *words: str, stdin: bytes = b"") -> str:
    """Run it; returns what it printed. Raises CalledProcessError when it finds anything wrong."""
    return subprocess.run(
        [promtool, *words], input=stdin, capture_output=True, check=True, timeout=60
    ).stdout.decode()


def test_the_rules_are_rules(promtool: str) -> None:
    """Promtool reads every alert."""
    assert "6 rules found" in run(promtool, "check", "rules", str(RULES / "lunmapd.rules.yml"))


def test_the_alerts_come_when_they_should(promtool: str) -> None:
    """Each alert is raised by the trouble that it is there for, and not before."""
    assert "SUCCESS" in run(promtool, "test", "rules", str(RULES / "lunmapd.test.yml"))


def test_a_scrape_has_nothing_to_complain_of(promtool: str) -> None:
    """Names, units and help are as Prometheus wants them."""
    assert run(promtool, "check", "metrics", stdin=generate_latest(full().registry)) == ""
