"""A click group that imports the module of a verb only when the verb is run, or its own help is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from lunmapd.core.base.text import nearest, suggestion

_PLANNING = "lunmapd.planning"


def start_planning(context: click.Context) -> None:
    """Let the verb that follows show its plan only."""
    context.meta[_PLANNING] = True


def is_planning() -> bool:
    """Return whether the verb follows `plan`."""
    return bool(click.get_current_context().meta.get(_PLANNING, False))


class Verb(NamedTuple):
    """A verb: the module that has it, the name of its command there, and its line in the list of verbs."""

    module: str
    command: str
    summary: str


class LazyGroup(click.Group):
    """A group of verbs; neither its help nor the completion of their names imports any of them."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], **options: Any) -> None:
        """`verbs` are by the word that runs them."""
        super().__init__(*args, **options)
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click hands it over by name
        """Return the verbs, sorted."""
        return sorted(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a verb; None if there is no such verb."""
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = getattr(import_module(verb.module), verb.command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb of `args`; a word that is no verb is wrong usage, with the nearest verb."""
        word = args[0]
        if word not in self._verbs and not word.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {word!r}{suggestion(nearest(word, self._verbs))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._verbs[name].summary) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that begin so, with their summaries, and the options of the group."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._verbs[name].summary) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
