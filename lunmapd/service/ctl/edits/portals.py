"""Portals on the command line."""

import click

from lunmapd.core.base.names import parse_portal


def read_portals(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return portals in the spelling of the map."""
    try:
        return tuple(map(parse_portal, values))
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None
