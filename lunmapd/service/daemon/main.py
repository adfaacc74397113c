"""`lunmapd`: the daemon of a storage node."""

import faulthandler
import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from lunmapd.agent.floating.own_report import Identity
from lunmapd.agent.floating.view import GroupView
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.daemon_state import DaemonFile
from lunmapd.agent.loop.follow import Follower
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.loop.report import CycleResult
from lunmapd.agent.loop.serving_checks import BackingChecks, PortalChecks
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.state.address_file import AddressFile
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.directory import state_directory
from lunmapd.agent.state.machine_id import read_machine_id
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.agent.state.seen_file import SeenFile
from lunmapd.clock import utc_now
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.lio.worker.kernel import Deadlines, Kernel
from lunmapd.service import zookeeper
from lunmapd.service.cli import (
    CONTEXT,
    config_option,
    examples_text,
    output_option,
    run_command,
    version_option,
)
from lunmapd.service.daemon import backing_watch, devices, logs, portal_watch
from lunmapd.service.daemon.adopt_command import adopt_command
from lunmapd.service.daemon.device_names import describe_device
from lunmapd.service.daemon.loop import CycleListener, Loop, ProcessContext, SettingsFile
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.settings_source import SettingsSource
from lunmapd.service.daemon.signals import Signals
from lunmapd.service.daemon.watchdog import WatchedKernel
from lunmapd.service.keyfile import read_keys
from lunmapd.service.lease.followed import followed_groups
from lunmapd.service.output import echo
from lunmapd.service.settings import Settings
from lunmapd.store.session.session import Session


@click.group(
    context_settings=CONTEXT,
    invoke_without_command=True,
    epilog=examples_text("lunmapd", ("--check-config", "--once", "plan")),
)
@version_option("lunmapd")
@config_option("Settings file.")
@click.option(
    "--check-config", is_flag=True, help="Check the settings and the files that they name, and exit."
)
@click.option(
    "--once", is_flag=True, help="Make one pass and exit: 0 when the map was applied, 6 when not wholly."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.pass_context
def daemon(context: click.Context, config: Path, check_config: bool, once: bool, log_level: str) -> None:
    """Keep this node's LIO target equal to the map in ZooKeeper. Stopping it changes nothing in LIO.

    Signals: TERM and INT stop it, HUP makes it read the settings again and read the whole map and LIO at
    once.
    """
    if context.invoked_subcommand is not None:
        context.obj = SettingsSource(config, checked=check_config)
        return
    settings = SettingsSource(config, checked=check_config).load()
    if check_config:
        echo(f"{config}: node {settings.node}, ZooKeeper at {','.join(settings.zookeeper.hosts)}")
        return
    logs.set_up_logging(log_level, settings.node)
    faulthandler.enable()  # the watchdog's SIGABRT shows where it hangs
    manager = Manager(max(Deadlines().longest, settings.zookeeper.deadline))
    wakeup = Wakeup()
    process = ProcessContext(manager, Signals(wakeup.notify), wakeup)
    session = zookeeper.create_session(settings.zookeeper, manager.beat)

    watch = portal_watch.PortalWatch(portal_watch.check_portals, partial(wakeup.notify, WakeCause.PORTAL))
    reads = backing_watch.BackingWatch(partial(wakeup.notify, WakeCause.BACKING))
    changed = partial(wakeup.notify, WakeCause.LEASE)
    with _agent(settings, session, process, _Checks(watch, reads, changed), is_single=once) as agent:
        if once:
            sys.exit(_exit_code(agent.run_cycle()))
        process.signals.listen()

        def devices_changed(numbers: AbstractSet[str] | None) -> None:
            agent.devices_changed(numbers)
            wakeup.notify(WakeCause.DEVICE)

        with (
            devices.watched_devices(devices_changed),
            portal_watch.watched_portals(watch),
            backing_watch.watched_backings(reads),
            _metrics_listener(settings, lambda: session.connected, agent.group_views) as note,
        ):
            Loop(agent, process, note, SettingsFile(config, settings)).run()


@daemon.command("plan", epilog=examples_text("lunmapd", ("plan", "plan -o json")))
@output_option
@click.pass_obj
def plan_command(source: SettingsSource, output: str) -> None:
    """Print the next pass of the daemon, with the affected initiators, without executing it.

    Exit 6 if there is any step, any failing object, or a TPG that isolation keeps disabled. Beside a running
    daemon it is that daemon's next full pass, else the first one of a daemon started now. Without ZooKeeper
    it uses the local snapshot, as the daemon does.
    """
    from lunmapd.service.daemon import preview  # noqa: PLC0415 - the daemon has no use for it

    shown = preview.preview(source.load())
    preview.print_preview(shown, output)
    sys.exit(shown.exit_code)


daemon.add_command(adopt_command)


class _Checks(NamedTuple):
    """What is checked beside the cycles."""

    portals: PortalChecks
    reads: BackingChecks
    owner_changed: Callable[[], None]


@contextmanager
def _metrics_listener(
    settings: Settings, connected: Callable[[], bool], groups: Callable[[], Sequence[GroupView]]
) -> Iterator[CycleListener]:
    """Yield the listener that updates the metrics. If they are off, their library (4 MB) is not loaded."""
    if settings.metrics is None:
        yield lambda *_: None
        return
    from lunmapd.service.daemon.metrics.collector import Metrics  # noqa: PLC0415 - it is off by default
    from lunmapd.service.daemon.metrics.server import served  # noqa: PLC0415

    figures = Metrics(settings.node, connected, groups=groups, beat=settings.policy().beat)
    with served(figures.registry, settings.metrics.listen):
        yield figures.note


@contextmanager
def _agent(
    settings: Settings, session: Session, process: ProcessContext, checks: _Checks, *, is_single: bool
) -> Iterator[Agent]:
    """Yield the agent with all its parts, and close them in the opposite order."""
    policy = settings.policy()
    registration = Registration(session, settings.node, read_machine_id(), utc_now())
    kernel = Kernel(answered=process.manager.beat)
    attended = WatchedKernel(kernel, process.manager.beat, process.signals.stopping)
    with state_directory(Path(settings.state_dir)) as directory:
        past = SeenFile(directory)
        addresses = AddressKeeper(AddressFile(directory, registration.boot), settings.node)
        local_map = LocalSnapshot(directory)
        follower = Follower(
            session, local_map, policy, node=settings.node, home=past.cluster, changed=addresses.follow
        )
        local = NodeFiles(
            Claims(directory),
            lambda: read_keys(Path(settings.key_file)),
            Targetctl(),
            past,
            DaemonFile(directory),
            addresses,
        )
        me = Identity(settings.node, registration.boot)
        try:
            with suppress(OSError):  # the first observation tries again, and reports the error
                kernel.start()
            session.start()
            followed = followed_groups(session, me, directory, checks.owner_changed)
            with nullcontext() if is_single else followed as groups:
                yield Agent(
                    registration,
                    follower,
                    attended,
                    local,
                    policy,
                    portals=checks.portals,
                    reads=checks.reads,
                    describe=describe_device,
                    floating=groups,
                    is_single=is_single,
                )
        finally:
            session.close()
            kernel.close()


def _exit_code(cycle: CycleResult) -> int:
    for error in (cycle.store_error, cycle.error):
        if error is not None:
            return int(error.exit_code)
    return int(Exit.OK if cycle.converged else Exit.DEGRADED)


def main() -> None:
    """Run the daemon; errors are one line each on standard error."""
    zookeeper.silence_kazoo()
    run_command("lunmapd", daemon)
