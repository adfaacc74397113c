"""`lunmapctl help`: what `--help` prints."""

import click

from lunmapd.service.output import echo


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_verb(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of lunmapctl, or of a COMMAND such as 'lun create'."""
    above = context.find_root()
    for word in words:
        group = above.command
        command = group.get_command(above, word) if isinstance(group, click.Group) else None
        if command is None:
            context.fail(f"there is no command {' '.join(words)!r}; 'lunmapctl help' lists them")
        above = click.Context(command, above, info_name=word)
    echo(*above.get_help().split("\n"))
