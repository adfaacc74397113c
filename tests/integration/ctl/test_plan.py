"""`lunmapctl plan` and the questions of `apply`, with the status that a node has written."""

import json

import pytest

from lunmapd.core.map.mapfile import show_map
from lunmapd.core.node import lio_objects
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, mapped_luns, put_checked
from support.cluster import Ctl

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
