"""`lunmapctl check`: the plugin for Nagios, Icinga and compatible monitoring systems."""

import click

from lunmapd.core.base.errors import LunmapdError
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.plugin import end_with, end_with_error


@click.command()
@click.pass_obj
def check(connection: Connection) -> None:
    """Print one line for Nagios or Icinga: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

    CRITICAL means: a node is dead or silent, a Lun has no path, or ZooKeeper does not answer.
    """
    try:
        with connection.client() as client:
            from lunmapd.service.ctl.look.check_line import check_line
            from lunmapd.service.ctl.text.summary import summary

            fleet_status = summary(client.fleet())
    except LunmapdError as error:
        end_with_error("LUNMAP", error)
    end_with("LUNMAP", *check_line(fleet_status))
