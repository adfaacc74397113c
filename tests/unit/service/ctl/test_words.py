"""The message of a commit that has no other one."""

import click
import pytest
from click.testing import CliRunner

from lunmapd.service.ctl.commit.permissions import EVERY_PERMISSION
from lunmapd.service.ctl.edits.lun import lun_verbs
from lunmapd.service.ctl.edits.options import edit_options
from lunmapd.service.ctl.edits.words import HOW_OPTIONS, typed_words
from lunmapd.service.ctl.secrets.options import password_options


def test_it_leaves_out_the_options_of_every_verb() -> None:
    """Also a new one."""

    @click.command()
    @password_options
    @edit_options(*EVERY_PERMISSION, can_empty=True)
    def verb() -> None:
        """Do nothing."""

    assert {each.name for each in verb.params} <= HOW_OPTIONS


@pytest.mark.parametrize(
    "words",
    [
        "lun grow db1 2GiB",
        "lun create db1 /dev/vg0/db1 --on n1,n2 --to host1,5,ro --to host2",
        "lun delete db1 --unmap",
        "lun set db1 " + "product=x " * 20,
    ],
)
def test_it_is_the_verb_as_it_was_typed(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its arguments and its own options; a long one is cut off."""
    seen = list[str]()
    for module in ("lun", "options"):
        name = f"lunmapd.service.ctl.edits.{module}.commit_edit"
        monkeypatch.setattr(name, lambda *_: seen.append(typed_words()))

    @click.group()
    def ctl() -> None:
        """Have the verbs."""

    ctl.add_command(lun_verbs, "lun")
    options = ["--allow", "path-loss", "-n", "--yes"]
    done = CliRunner().invoke(ctl, [*words.split(), *options], obj=object(), catch_exceptions=False)
    assert done.exit_code == 0
    assert len(seen[0]) <= 72
    assert words.strip() == seen[0] or (seen[0].endswith(" ...") and words.startswith(seen[0][:-4]))
