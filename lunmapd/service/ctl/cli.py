"""The click group of `lunmapctl`, and its options. It imports click only: see `start`."""

import os
from pathlib import Path

import click

from lunmapd.service.cli import CONTEXT, config_option, examples_text, version_option
from lunmapd.service.ctl.start.examples import EXAMPLES
from lunmapd.service.ctl.start.lazy import LazyGroup
from lunmapd.service.ctl.start.verbs import VERBS


def _given(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty option or variable, as from an unset variable of a script.

    It would not mean the same as none: the session would be in plain text, or on another tree.
    """
    variable = str(option.envvar)
    if value == "":
        raise click.BadParameter("it is empty: name a value, or leave the option out", context, option)
    if value is None and os.environ.get(variable) == "":
        raise click.UsageError(f"{variable} is empty: give it a value, or unset it", context)
    return value


_EXAMPLES = examples_text("lunmapctl", EXAMPLES[""])


@click.group(cls=LazyGroup, verbs=VERBS, context_settings=CONTEXT, epilog=_EXAMPLES)
@version_option("lunmapctl")
@config_option("Settings file that names the ensemble.")
@click.option(
    "--hosts",
    envvar="LUNMAPCTL_HOSTS",
    callback=_given,
    help="ZooKeeper servers, address:port,...; instead of the settings file.",
)
@click.option(
    "--chroot", envvar="LUNMAPCTL_CHROOT", callback=_given, help="The cluster's tree.  [default: /lunmap]"
)
@click.option(
    "--tls-ca",
    envvar="LUNMAPCTL_TLS_CA",
    callback=_given,
    help="With --hosts: use TLS; the CA of the servers.",
)
@click.option(
    "--tls-certificate",
    envvar="LUNMAPCTL_TLS_CERTIFICATE",
    callback=_given,
    help="With --tls-ca: the client certificate.",
)
@click.option("--tls-key", envvar="LUNMAPCTL_TLS_KEY", callback=_given, help="With --tls-ca: its key.")
@click.pass_context
def ctl(
    context: click.Context,
    config: Path,
    hosts: str | None,
    chroot: str | None,
    tls_ca: str | None,
    tls_certificate: str | None,
    tls_key: str | None,
) -> None:
    """Edit and monitor the map of Luns, targets and initiators that every storage node applies.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 invalid map, 4 conflict, 5 ZooKeeper unreachable,
    6 degraded, 7 a file can't be used, 130 interrupted.
    """
    from lunmapd.service.ctl.connection import Connection, TlsFiles

    tls = TlsFiles(tls_ca or "", tls_certificate or "", tls_key or "")
    if tls != TlsFiles() and hosts is None:
        raise click.UsageError(
            "--tls-ca, --tls-certificate and --tls-key need --hosts: without it the settings file says how "
            "to connect"
        )
    context.obj = Connection(config, chroot, hosts, tls)
