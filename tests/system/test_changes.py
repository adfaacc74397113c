"""Every kind of change under verified I/O: the initiator notices exactly the prediction of `plan`."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lab import wait_for
from lab.pytest_plugin import NewLab
from lunmapd.client import Client, InvalidInputError, Note
from lunmapd.core.node import lio_objects
from support.cluster import HOST, SAN, SCRATCH, bring_up
from system.experiment import NOTE, Experiment, Noticed, Prediction

pytestmark = pytest.mark.kernel

GUEST, MEMBER = "iqn.2026-01.org.example:guest", "iqn.2026-01.org.example:member"
MAP = f"""
luns:
  steady:
    serial: 3f1d6c1e00014f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db1}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
  touched:
    serial: 3f1d6c1e00024f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db2}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]
  spare:
    serial: 3f1d6c1e00034f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/logs}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 5, group: members}}]
  file:
    serial: 3f1d6c1e00044f0b9f3e7a51c2d40000
    size: 32MiB
    backing: {{type: fileio, path: /srv/scratch.img}}
    maps: [{{target: "{SCRATCH}", lun: 0, initiator: "{HOST}"}}]
targets:
  {SAN}: {{nodes: [n1, n2]}}
  {SCRATCH}: {{nodes: [n1]}}
initiators:
  {HOST}: {{chap: {{user: host, password: a word of the host}}}}
  {GUEST}: {{chap: {{user: guest, password: a word of the guest}}}}
  {MEMBER}: {{chap: {{user: member, password: a word of the member}}}}
groups:
  members: {{initiators: ["{MEMBER}"]}}
nodes:
  n1: {{tpg_tag: 1, portals: [ADDRESS1]}}
  n2: {{tpg_tag: 2, portals: [ADDRESS2]}}
"""
REPORTED = {"n1": 2, "n2": 1}
BACKING = "    backing: {type: block, path: /dev/vg0/db2}\n"
SHARED = "    shared: {reservations: off, compare_and_write: off}\n"
REST = f'{SHARED}    maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]\n'
FILE_MAP = f'    maps: [{{target: "{SCRATCH}", lun: 0, initiator: "{HOST}"}}]\n'
ANOTHER = f"""\
  more:
    serial: 3f1d6c1e00054f0b9f3e7a51c2d40000
    backing: {{type: ramdisk, volatile: true}}
    size: 1MiB
    maps: [{{target: "{SCRATCH}2", lun: 0, initiator: "{GUEST}"}}]
targets:
  {SCRATCH}2: {{nodes: [n1]}}
"""


@dataclass(frozen=True)
class Change:
    """An edit of the map, and the class that the plan of node `node` must have, there and back.

    `drops` are the targets whose sessions at that node end; `reach` the nodes through which LUN 1 is written
    when it is changed. `note` allows the edit.
    """

    old: str
    new: str
    there: str
    back: str
    node: int = 1
    drops: frozenset[str] = frozenset()
    reach: tuple[int, ...] = (1, 2)
    note: Note = NOTE


CHANGES = {
    "a LUN is mapped": Change(
        "group: members}", f'group: members}}, {{target: "{SAN}", lun: 6, initiator: "{HOST}"}}',
        "unit-attention", "data-unreachable",
    ),
    "a LUN gets another number": Change("lun: 1,", "lun: 9,", "data-unreachable", "data-unreachable", reach=()),
    "a LUN becomes read-only": Change(
        f'lun: 1, initiator: "{HOST}"', f'lun: 1, initiator: "{HOST}", access: ro', "data-unreachable", "none", reach=(),
    ),
    "a file grows": Change("size: 32MiB", "size: 64MiB", "none", "data-unreachable", note=Note(shrink=("file",))),
    "a LUN is made anew": Change(
        "/dev/vg0/db2", "/dev/disk/lab/db2", "data-unreachable", "data-unreachable", note=Note(rebacking=("touched",)),
    ),
    "another node is preferred": Change(BACKING, f"{BACKING}    preferred: n2\n", "unit-attention", "unit-attention"),
    "a path goes to standby": Change(
        BACKING, f"{BACKING}    preferred: n2\n    others: standby\n", "path-loss", "unit-attention", reach=(2,),
    ),
    "a node reports a LUN no more": Change(BACKING, f"{BACKING}    nodes: [n2]\n", "path-loss", "unit-attention", reach=(2,)),
    "a group gets another member": Change(
        f'["{MEMBER}"]', f'["{MEMBER}", "{HOST}"]', "unit-attention", "data-unreachable",
    ),
    "a target leaves a node": Change(
        "nodes: [n1, n2]}", "nodes: [n1]}", "session-drop", "none", 2, frozenset({SAN}), (1,),
    ),
    "a node is drained": Change(
        "n2: {tpg_tag: 2,", "n2: {state: drained, tpg_tag: 2,", "session-drop", "none", 2, frozenset({SAN}), (1,),
    ),
    "an initiator loses its last LUN of a target": Change(
        FILE_MAP, "", "data-unreachable", "none", drops=frozenset({SCRATCH}),
    ),
}  # fmt: skip

# Edits of the map that no initiator notices. They can be made one after the other.
QUIET = {
    "an attribute is set live": (BACKING, f"{BACKING}    attributes: {{emulate_fua_write: 0}}\n"),
    "an initiator comes and goes": ("lun: 1,", f'lun: 1, initiator: "{GUEST}"}}, {{target: "{SAN}", lun: 1,'),
    "a portal is added": ("[ADDRESS1]", "[ADDRESS1, 'ADDRESS1:3261']"),
    "a target's attribute is set": (f"{SAN}: {{", f"{SAN}: {{attributes: {{login_timeout: 30}}, "),
    "a target's parameter is set": (f"{SAN}: {{", f"{SAN}: {{parameters: {{MaxOutstandingR2T: 4}}, "),
    "a target asks for CHAP": (f"{SAN}: {{", f"{SAN}: {{authentication: chap, "),
    "a password is changed": ("a word of the host", "another word"),
    "discovery asks for CHAP": ("n1: {", "n1: {discovery: {chap: {user: look, password: a word to look}}, "),
    "a target is added": ("targets:\n", ANOTHER),
}


@pytest.fixture(scope="module")
def module_experiment(new_lab: NewLab) -> Iterator[Experiment]:
    """Give one cluster of two nodes to all tests of this module, with I/O that never stops."""
    with new_lab() as lab:
        cluster = bring_up(lab, nodes=2)
        with Client.connect(cluster.ensemble.hosts) as client:
            found = Experiment(cluster, client, MAP)
            found.reload_all()
            found.await_reported(REPORTED)
            yield found
            found.close()


@pytest.fixture
def experiment(module_experiment: Experiment) -> Experiment:
    """Give it as a test finds it that comes first."""
    module_experiment.restore(REPORTED)
    return module_experiment


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_noticed_as_predicted(experiment: Experiment, change: Change) -> None:
    """The predicted class is right there and back: for sessions, the changed LUN, and all other I/O."""
    before, base = experiment.notice(), experiment.map()
    there = experiment.map((change.old, change.new))
    assert experiment.predict(change.node, there, change.note) == Prediction(change.there, change.drops)
    experiment.commit(there, change.note)
    experiment.check_io()
    away = _await(experiment, "the drops", lambda found: _dropped(before, found) == change.drops)
    assert {number for number in (1, 2) if experiment.address(number) in away.written} == set(change.reach)
    assert change.there != "none" or not _reported(before, away, experiment.address(change.node))
    if change.drops:
        experiment.reload_all()
        experiment.await_reported(_fewer(change))
    assert experiment.predict(change.node, base, change.note) == Prediction(change.back)
    experiment.commit(base, change.note)
    experiment.check_io()
    after = _await(experiment, "all that was", lambda found: _same(before, found))
    assert _dropped(before, after) == change.drops
    assert change.back != "none" or not _reported(away, after, experiment.address(change.node))
    if change.drops:
        experiment.reload_all()
    experiment.await_reported(REPORTED)


def test_the_plan_command_says_the_same(experiment: Experiment) -> None:
    """`lunmapd plan` names steps, classes and affected initiators, like the prediction."""
    change, before = CHANGES["a node is drained"], experiment.notice()
    there = experiment.map((change.old, change.new))
    predicted = [
        (
            step.action,
            lio_objects.show_key(lio_objects.key_of(step.item)),
            effect.worst.word,
            effect.now.word,
            len(effect.sessions),
        )
        for step, effect in experiment.effects(change.node, there)
    ]
    reported = json.loads(experiment.plan(change.node, there))["steps"]
    assert predicted == [
        (line["action"], line["object"], line["disruption"], line["now"], len(line["initiators"]))
        for line in reported
    ]
    _await(experiment, "the drops", lambda found: _dropped(before, found) == change.drops)
    experiment.commit(experiment.map())
    _await(experiment, "all that was", lambda found: _same(before, found))
    experiment.check_io()


def test_quiet_changes_are_noticed_by_nobody(experiment: Experiment) -> None:
    """Each change is predicted to be silent; all together cause no unit attention and end no session."""
    before, base, there = experiment.notice(), experiment.map(), experiment.map(*QUIET.values())
    quiet = Prediction("none")
    assert {
        name: experiment.predict(1, experiment.map(edit)) for name, edit in QUIET.items()
    } == dict.fromkeys(QUIET, quiet)
    experiment.commit(there)
    assert experiment.predict(1, base) == quiet
    experiment.check_io()
    assert experiment.notice() == before
    experiment.commit(base)
    experiment.check_io()
    assert experiment.notice() == before
    experiment.await_reported(REPORTED)


def test_what_initiators_have_read_changes_while_it_is_unmapped(experiment: Experiment) -> None:
    """It is refused for a mapped Lun.

    Unmapped, changed and mapped again, only the Lun's initiators read it again.
    """
    before, settings = experiment.notice(), ("    product: another\n", "    attributes: {queue_depth: 16}\n")
    for setting in settings:
        with pytest.raises(InvalidInputError, match="unmap the Lun first"):
            experiment.commit(experiment.map((BACKING, BACKING + setting)))
    given = BACKING + "".join(settings)
    experiment.commit(experiment.map((BACKING + REST, BACKING + SHARED)))
    experiment.commit(experiment.map((BACKING + REST, given + SHARED)))
    changed = experiment.map((BACKING, given))
    assert experiment.predict(1, changed) == Prediction("unit-attention")
    experiment.commit(changed)
    after = experiment.notice()
    assert (after.logins, after.written) == (before.logins, before.written)
    experiment.commit(experiment.map((BACKING + REST, BACKING + SHARED)))
    experiment.commit(experiment.map())
    assert experiment.notice().logins == before.logins
    experiment.check_io()


def _await(experiment: Experiment, what: str, wanted: Callable[[Noticed], bool]) -> Noticed:
    return wait_for(what, experiment.notice, wanted)


def _same(before: Noticed, after: Noticed) -> bool:
    """Return whether the initiator has the same portals, with old or new sessions, and writes as before."""
    return (before.portals, before.written) == (after.portals, after.written)


def _dropped(before: Noticed, after: Noticed) -> frozenset[str]:
    return frozenset(login.target for login in before.logins - after.logins)


def _reported(before: Noticed, after: Noticed, address: str) -> int:
    """Count the unit attentions of a node that came meanwhile in the sessions that stayed."""
    both = before.logins & after.logins
    return sum(
        after.attentions[login] - before.attentions[login] for login in both if login.address == address
    )


def _fewer(change: Change) -> dict[str, int]:
    return {**REPORTED, f"n{change.node}": REPORTED[f"n{change.node}"] - len(change.drops)}
