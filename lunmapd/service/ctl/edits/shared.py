"""The option whether hosts are offered what LIO keeps in each node: of `map` and `lun create`."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Shared

shared_option = click.option(
    "--shared",
    type=click.Choice(["off", "per-node"]),
    help="For a Lun of several nodes: whether hosts are offered reservations and COMPARE AND WRITE.  "
    "[default: as all other Luns]",
)


def shared_choice(word: str | None) -> "Shared | None":
    """Return the choice of the option, a word of Scope."""
    from lunmapd.core.base.lunmap import Scope, Shared

    return None if word is None else Shared(Scope(word), Scope(word))
