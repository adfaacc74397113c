"""The message of a commit that has no other one: the verb as it was typed."""

from collections.abc import Iterator
from textwrap import shorten

import click
from click.core import ParameterSource

_MAX_MESSAGE = 72
HOW_OPTIONS = frozenset(
    {"message", "author", "expect_revision", "shrink", "rebacking", "reuse_luns", "reuse_ids", "allow", "yes"}
    | {"empty", "dry_run", "wait", "output", "first", "pause", "confirm_within"}
    | {"file", "generate", "generate_to", "key_file"}
)
"""The options that say how an edit is committed, and where a password comes from."""


def typed_words() -> str:
    """Return the verb with its arguments and its own options, as the message of a commit."""
    here = context = click.get_current_context()
    words = [word for each in here.command.params for word in _given(here, each)]
    while context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return shorten(" ".join(words), _MAX_MESSAGE, placeholder=" ...")


def _given(context: click.Context, parameter: click.Parameter) -> Iterator[str]:
    """Yield the words of a parameter; none for an option that every verb has, or that was not given."""
    name = parameter.name or ""
    value = context.params.get(name)
    is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    option = parameter if isinstance(parameter, click.Option) else None
    is_flag = option is not None and option.is_flag
    if not is_typed or name in HOW_OPTIONS or (option and is_flag and value not in {True, option.flag_value}):
        return
    for each in value if isinstance(value, tuple) else (value,):
        if option:
            yield option.opts[-1]
        if not is_flag:
            yield _show_size(each) if isinstance(each, int) and parameter.type is click.STRING else str(each)


def _show_size(size: int) -> str:
    from lunmapd.core.map.mapfile import show_size

    return show_size(size)
