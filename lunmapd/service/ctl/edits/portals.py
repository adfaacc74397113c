"""Portals on the command line."""

import click


def read_portals(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return portals in the spelling of the map."""
    from lunmapd.core.base.names import parse_portal

    try:
        return tuple(map(parse_portal, values))
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None
