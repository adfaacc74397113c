"""The options that allow what a commit refuses, verb by verb."""

from collections.abc import Iterator

import click

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.commit.permissions import EVERY_PERMISSION

ALL = frozenset({"--shrink", "--rebacking", "--reuse-lun", "--reuse-id", "--allow-empty"})
OFFERED = {
    "apply edit revert rollback": ALL,
    "plan": ALL - {"--allow-empty"},  # it commits nothing, and asks nothing
    "repair restore": {"--reuse-lun", "--reuse-id"},
    "map lun-create host-add host-rename group-add group-set": {"--reuse-lun"},
    "lun-set": {"--shrink", "--rebacking"},
    "target-set float-set node-add": {"--reuse-id"},
    "node-set": {"--rebacking", "--reuse-id"},
    "lun-delete host-remove group-delete target-delete node-remove retire": {"--allow-empty"},
}
"""The options by verbs."""


def commands(group: click.Group, words: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every verb with its words, a group with an own function too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{words}{name}", command
        if isinstance(command, click.Group) and name != "plan":
            yield from commands(command, f"{words}{name}-")


def test_each_verb_offers_the_permissions_that_its_edit_can_need() -> None:
    """And no other one: `map --shrink` would be taken, and would allow nothing."""
    assert {each.option for each in EVERY_PERMISSION} < ALL
    offered = {
        words: {option for parameter in command.params for option in parameter.opts} & ALL
        for words, command in commands(ctl)
    }
    expected = {verb: options for verbs, options in OFFERED.items() for verb in verbs.split()}
    assert {words: options for words, options in offered.items() if options} == expected
