"""`lunmapctl plan` and the questions of `apply`, with the status that a node has written."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lunmapd.core.map.mapfile import show_map
from lunmapd.core.node import lio_objects
from lunmapd.service.ctl.cli import ctl as program
from lunmapd.service.ctl.start.verbs import VERBS
from lunmapd.service.ctl.text.forecast_lines import PlanReport
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, mapped_luns, put_checked
from support.cluster import Ctl
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

LESS = show_map(mapped_luns(2))
MORE = show_map(mapped_luns(1, 2, 3))


def test_what_is_planned_is_agreed_to_and_done(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """A host is named before it loses a LUN; the commit needs an agreement, and the node does just that."""
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.log_in(T, H)
    agent.run_cycle()
    assert "No host is disturbed" in ctl("plan", "-f", "-", stdin=MORE).out
    seen = ctl("plan", "-f", "-", stdin=LESS, expect=6).out
    assert "n1     3      -     data-unreachable: h (l1)" in seen
    assert "first, on h: end all use of l1 (unmount, vgchange -an), then\n" in seen
    planned = json.loads(ctl("plan", "-f", "-", "-o", "json", stdin=LESS, expect=6).out)
    assert json.loads(ctl("apply", "-n", "-f", "-", "--replace", "-o", "json", stdin=LESS).out) == planned
    refused = ctl("apply", "-f", "-", "--replace", stdin=LESS, expect=6)
    assert refused.err.startswith(f"lunmapctl: data-unreachable for {H}: if that is meant, use --allow ")
    assert ctl.status()["revision"] == 1
    assert "first, on h: end all use of l1 (unmount, vgchange -an), then\n" in refused.out
    before = len(make_agent.kernel.done)
    assert ctl("apply", "-f", "-", "--replace", "--allow", "data-unreachable", stdin=LESS).out.endswith(
        "revision 2\n"
    )
    agent.run_cycle()
    done = [
        (step.action, lio_objects.show_key(lio_objects.key_of(step.item)), step.reason)
        for step in make_agent.kernel.done[before:]
    ]
    steps = planned["nodes"][0]["steps"]
    assert done == [(step["action"], step["object"], step["reason"]) for step in steps]


def test_a_rollback_is_planned_too(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """It shows with -n what nodes would do and hosts have to do, and asks; an emptied map needs an option."""
    put_checked(session, mapped_luns(1))
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.log_in(T, H)
    agent.run_cycle()
    dry = ctl("rollback", "1", "-n").out
    assert "data-unreachable: h (l2)" in dry
    assert "first, on h: end all use of l2 (unmount, vgchange -an), then\n" in dry
    assert dry.endswith("nothing was committed (dry run)\n")
    assert "use --allow data-unreachable" in ctl("rollback", "1", expect=6).err
    assert "use --allow-empty" in ctl("rollback", "0", "--yes", expect=6).err
    assert ctl("rollback", "1", "--yes").out.endswith("committed revision 3\n")
    again = ctl("rollback", "2", "--reuse-lun", "l2").out
    assert "h sees l2 as LUN 2 at t (WWID" in again
    assert again.endswith("on h:\n  iscsiadm -m session --rescan\n")


DRY = {
    "apply": ("-f", "-", "--replace"),
    "drain": ("n1",),
    "float create": ("san", "gold", "10.0.1.99", "--on", "n1,n2"),
    "float delete": ("san", "blue"),
    "float set": ("san", "blue", "failback=manual"),
    "group add": ("web", "host2"),
    "group create": ("new", "host1"),
    "group delete": ("web",),
    "group remove": ("web", "host1"),
    "group set": ("web", "alias=w"),
    "host add": ("iqn.2026-01.org.example:host9",),
    "host remove": ("host1", "--unmap"),
    "host rename": ("host1", "iqn.2026-01.org.example:host9"),
    "host set": ("host1", "alias=h"),
    "lun create": ("new", "/dev/vg0/new"),
    "lun delete": ("logs", "--unmap"),
    "lun grow": ("logs", "1TiB"),
    "lun rename": ("logs", "log"),
    "lun set": ("logs", "size=1TiB"),
    "map": ("db1", "host1", "--target", "scratch"),
    "node add": ("n9", "--portal", "10.0.1.9"),
    "node remove": ("n3",),
    "node set": ("n1", "labels.rack=r1"),
    "repair": (),
    "retire": ("n3",),
    "revert": ("2",),
    "rollback": ("1",),
    "target create": ("iqn.2026-01.org.example:new", "--on", "n1"),
    "target delete": ("scratch", "--unmap"),
    "target set": ("san", "alias=s"),
    "undrain": ("n2",),
    "unmap": ("db1", "host1"),
}
"""Arguments with which each verb that has -n changes something."""


def dry_verbs() -> Iterator[str]:
    """Yield each verb that has -n."""
    for name in VERBS:
        command = program.get_command(click.Context(program), name)
        below = command.commands.items() if isinstance(command, click.Group) else ()
        every = {f"{name} {word}": each for word, each in below} | {name: command}
        for words, each in every.items():
            if each is not None and any(parameter.name == "dry_run" for parameter in each.params):
                yield words


def test_each_dry_run_has_the_form_of_a_plan(session: Session, ctl: Ctl) -> None:
    """As JSON, of any verb that has -n, with the changes; nothing is committed."""
    assert set(dry_verbs()) == set(DRY)
    example = Path("config/lunmap.yaml").read_text()
    ctl.apply(example, wait=None)
    ctl("float", "create", "san", "blue", "10.0.1.98", "--on", "n1,n2")
    ctl("host", "add", "iqn.2026-01.org.example:host2")
    ctl("group", "create", "web", "host1")
    ctl("drain", "n2", "--allow", "data-unreachable")
    where = ("--hosts", session.hosts, "--chroot", session.root)
    with PlainClient(session) as shell:
        shell.set("initiators/iqn.2026-01.org.example:host1", b'{"alias":"edited"}')
    for verb, words in DRY.items():
        line = [*where, *verb.split(), *words, "-n", "-o", "json"]
        found = json.loads(CliRunner().invoke(program, line, input=example, catch_exceptions=False).stdout)
        assert list(found) == list(PlanReport.__struct_fields__), verb
        assert found["changes"], verb
    assert ctl.status()["revision"] == 5
