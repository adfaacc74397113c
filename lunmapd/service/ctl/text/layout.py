"""The options of the verbs that print tables."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lunmapd.service.table import UNFITTED, Layout, terminal_layout

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.map.short_names import ShortNames

full_names_option = click.option(
    "--full-names", is_flag=True, help="Print iSCSI names in full, not the part after the last colon."
)


def output_options(*more: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what adds `-o` and `--full-names` to a command, with `more` forms of output.

    The command receives `output` (table, json or one of `more`) and the `layout`.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "-o",
            "--output",
            type=click.Choice(["table", "wide", "json", *more]),
            default="table",
            show_default=True,
            help="For people, fitted to the terminal or whole; or for programs.",
        )
        @full_names_option
        @functools.wraps(command)
        def wrapped(*args: object, output: str, full_names: bool, **rest: object) -> None:
            layout = layout_of(output, full_names=full_names)
            command(*args, output="table" if output == "wide" else output, layout=layout, **rest)

        return wrapped

    return decorated


table_options = output_options()


def layout_of(output: str, *, full_names: bool) -> Layout:
    """Return the layout for a value of `-o`; `wide` stands for all columns, with names in full."""
    return UNFITTED if output == "wide" else terminal_layout(full_names=full_names)


def names_for(lunmap: "Lunmap", layout: Layout) -> "ShortNames":
    """Return the short names to use in a layout."""
    from lunmapd.core.map.short_names import FULL_NAMES, short_names

    return FULL_NAMES if layout.full_names else short_names(lunmap)
