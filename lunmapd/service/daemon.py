"""`lunmapd`: the daemon of a storage node."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from systemd.daemon import notify

from lunmapd import __version__
from lunmapd.agent.agent import Agent, utc_now
from lunmapd.agent.bell import Bell
from lunmapd.agent.claims import Claims
from lunmapd.agent.disk import Local
from lunmapd.agent.follow import Follower
from lunmapd.agent.identity import read_identity
from lunmapd.agent.local import LocalSnapshot
from lunmapd.agent.member import Member
from lunmapd.agent.report import Turn
from lunmapd.agent.state import state_directory
from lunmapd.core.errors import Exit
from lunmapd.lio.kernel import Kernel
from lunmapd.service import logs, zookeeper
from lunmapd.service.errors import reported
from lunmapd.service.keyfile import read_keys
from lunmapd.service.options import CONTEXT, config_option, version_option
from lunmapd.service.settings import Settings, load

log = logging.getLogger(__name__)


@click.command(context_settings=CONTEXT)
@version_option("lunmapd")
@config_option("Settings file.")
@click.option("--check-config", is_flag=True, help="Check the settings and exit.")
@click.option(
    "--once", is_flag=True, help="Make one pass and exit: 0 when the map was applied, 6 when not wholly."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def daemon(config: Path, check_config: bool, once: bool, log_level: str) -> None:
    """Keep this node's LIO target equal to the map in ZooKeeper. Stopping it changes nothing in LIO.

    Signals: TERM and INT stop it, HUP makes it look again at once.
    """
    settings = load(config)
    if check_config:
        click.echo(f"{config}: node {settings.node}, ZooKeeper at {','.join(settings.zookeeper.hosts)}")
        return
    logs.set_up(log_level)
    with _agent(settings) as agent:
        if once:
            sys.exit(_exit_code(agent.turn()))
        _run(agent, settings)


@contextmanager
def _agent(settings: Settings) -> Iterator[Agent]:
    """Bring the parts together, and take them apart in the opposite order."""
    policy, session = settings.policy(), zookeeper.session(settings.zookeeper)
    member = Member(session, settings.node, read_identity(), utc_now())
    kernel = Kernel()
    with state_directory(Path(settings.state_dir)) as directory:
        follower = Follower(session, LocalSnapshot(directory), policy)
        local = Local(Claims(directory / "claims.json"), lambda: read_keys(Path(settings.key_file)))
        try:
            session.start()
            yield Agent(member, follower, kernel, local, policy)
        finally:
            session.close()
            kernel.close()


def _exit_code(turn: Turn) -> int:
    for error in (turn.store_error, turn.error):
        if error is not None:
            return int(error.exit_code)
    return int(Exit.OK if turn.converged else Exit.DEGRADED)


def _run(agent: Agent, settings: Settings) -> None:
    bell = Bell()
    stops: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stops.append(number)
        bell.ring()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda _number, _frame: bell.ring())
    log.info("lunmapd %s starts as node %s", __version__, settings.node)
    agent.run(bell, lambda: bool(stops), lambda turn: _notify(agent, turn), (settings.resync, settings.retry))
    notify("STOPPING=1")
    log.info("stopped; LIO is left as it is")


def _notify(agent: Agent, turn: Turn) -> None:
    """Tell systemd that the first pass is done, or is held for a reason that the status gives."""
    applied = agent.status.applied
    revision = "none" if applied is None else str(applied.revision)
    trouble = turn.store_error or turn.error
    text = f"applied revision {revision}, {agent.status.failing_count} failing" + (
        f"; {trouble}" if trouble else ""
    )
    notify(f"READY=1\nSTATUS={text}")


def main() -> None:
    """Run the daemon; errors are one line each on standard error."""
    reported("lunmapd", daemon)
