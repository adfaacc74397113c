"""The command line itself: its options, and how it reaches the tree."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import Struct

from lunmapd import __version__
from lunmapd.client import Client, Session
from lunmapd.service import settings


class Connection(Struct, frozen=True):
    """How to reach the tree, from the options or from the settings file."""

    config: Path
    hosts: str | None
    chroot: str | None

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open a client for one command."""
        with Session(*self._where()) as session:
            yield Client(session, progress=_say_progress)

    def _where(self) -> tuple[str, str]:
        if self.hosts is not None:
            return self.hosts, self.chroot or "/lunmap"
        zookeeper = settings.load(self.config).zookeeper
        return ",".join(zookeeper.hosts), self.chroot or zookeeper.chroot


def _say_progress(done: int, total: int) -> None:
    click.echo(f"lunmapctl: part {done} of {total} is written", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lunmapctl")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=settings.DEFAULT_PATH,
    show_default=True,
    help="Settings file that names the ensemble.",
)
@click.option(
    "--hosts",
    envvar="LUNMAPCTL_HOSTS",
    help="ZooKeeper servers, address:port,...; instead of the settings file.",
)
@click.option("--chroot", envvar="LUNMAPCTL_CHROOT", help="Where the cluster's tree is.  [default: /lunmap]")
@click.pass_context
def ctl(context: click.Context, config: Path, hosts: str | None, chroot: str | None) -> None:
    """Edit and watch the map of LUNs, targets and initiators that every storage node follows.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 invalid map, 4 conflict, 5 ZooKeeper unreachable, 6 degraded.
    """
    context.obj = Connection(config, hosts, chroot)
