"""A click group that imports the module of a verb only when the verb is run, or its own help is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lunmapd.core.base.text import nearest, suggestion
from lunmapd.service.cli import examples_text
from lunmapd.service.ctl.start.completion import complete_names
from lunmapd.service.ctl.start.examples import EXAMPLES

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_PLANNING = "lunmapd.planning"


def start_planning(context: click.Context) -> None:
    """Let the verb that follows show its plan only."""
    context.meta[_PLANNING] = True


def is_planning() -> bool:
    """Return whether the verb follows `plan`."""
    return bool(click.get_current_context().meta.get(_PLANNING, False))


class Verb(NamedTuple):
    """A verb: the module that has it, the name of its command there, and its line and heading in the help."""

    module: str
    command: str
    summary: str
    heading: str


def _prepare(command: click.Command, words: str) -> None:
    """Give a command, and each one below it, its examples as the end of its help, and completions.

    A group shows the first example of each command below it.
    """
    complete_names(command, words)
    lines = EXAMPLES.get(words, ())
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for name, below in command.commands.items():
            _prepare(below, f"{words} {name}")
            lines = (*lines, *EXAMPLES.get(f"{words} {name}", ())[:1])
    command.epilog = examples_text("lunmapctl", lines)


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
        _prepare(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb of `args`; a word that is no verb is wrong usage, with the nearest verb."""
        word = args[0]
        if word not in self._verbs and not word.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {word!r}{suggestion(self._meant(word))}")
        return super().resolve_command(ctx, args)

    def _meant(self, word: str) -> str:
        """Return what a word that is no verb probably stands for, "" if nothing is near."""
        if "." in word and any(parameter.name == "file" for parameter in self.params):
            return f"-f {word}"
        return "--version" if word == "version" else nearest(word, self._verbs)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their summaries, under their headings."""
        names = self.list_commands(ctx)
        width = max(map(len, names))
        for heading in dict.fromkeys(verb.heading for verb in self._verbs.values()):
            with formatter.section(heading):
                under = [name for name in names if self._verbs[name].heading == heading]
                formatter.write_dl([(name.ljust(width), self._verbs[name].summary) for name in under])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the verbs that begin so, with their summaries, and the options of the group."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._verbs[name].summary) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
