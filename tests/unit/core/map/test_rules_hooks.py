"""Rules of Luns whose storage a hook promotes."""

from typing import Any

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import AluaState, FloatingGroup, GroupId, Lunmap, Map
from lunmapd.core.floating.hooks import hook_calls
from lunmapd.core.floating.promotion import HookCall
from lunmapd.core.map import rules
from support.small_map import MAP
from support.takeover_map import GROUP, TAKEN, TAKEOVER, THREE, H, T

U = "iqn.2026-01.org.example:u"
PATH = "/dev/mapper/drbd-r0"
HOOKED = replace(TAKEN, backing=Block(PATH), size=None, hook="drbd")
GOLD = FloatingGroup(9, ("10.0.0.9:3260",), ("n1", "n2"), 9)
ONE = replace(HOOKED, preferred="", others=AluaState.NON_OPTIMIZED)


def luns(lunmap: Lunmap, **found: Any) -> Lunmap:
    """Return the map with these Luns."""
    return replace(lunmap, luns=found)


def floats(*names: str, nodes: bool = False) -> Lunmap:
    """Return a map whose target has floating groups of these names, and one Lun with a hook."""
    groups = {
        name: replace(GOLD, tpg_tag=9 + number, port_id=9 + number, portals=(f"10.0.0.{9 + number}:3260",))
        for number, name in enumerate(names)
    }
    target = MAP.targets[T]
    made = replace(target, nodes=target.nodes if nodes else {}, floating=groups)
    return replace(luns(TAKEOVER, a=ONE), targets={T: made})


TWO_TARGETS = replace(floats("gold"), targets={**floats("gold").targets, U: MAP.targets[T]})
OTHER = replace(HOOKED, serial="2" * 32, hook="zfs", maps=(Map(T, 4, H),))


def hook_problems(lunmap: Lunmap) -> list[str]:
    """Return the problems of the field `hook`."""
    return [str(each) for each in rules.check_map(lunmap) if each.place[-1] == "hook"]


@pytest.mark.parametrize(
    ("lunmap", "sentences"),
    [
        (luns(TAKEOVER, a=HOOKED), []),
        (luns(TAKEOVER, a=replace(HOOKED, maps=())), []),
        (luns(TAKEOVER, a=replace(HOOKED, others=AluaState.NON_OPTIMIZED)), ["nothing decides which node"]),
        (luns(TAKEOVER, a=ONE), ["nothing decides which node"]),
        (luns(TAKEOVER, a=replace(HOOKED, hook="../x")), ["'../x'"]),
        (replace(luns(TAKEOVER, a=HOOKED), targets={}), []),
        (luns(TAKEOVER, a=replace(TAKEN, hook="drbd")), ["a block device"]),
        (luns(THREE, a=HOOKED), ["node 'n3' reports the Lun"]),
        (luns(THREE, a=replace(HOOKED, nodes=("n1", "n2"))), []),
        (floats("gold"), []),
        (floats("gold", nodes=True), ["nothing decides which node"]),
        (floats("gold", "silver"), ["nothing decides which node"]),
        (
            luns(TWO_TARGETS, a=replace(ONE, maps=(*ONE.maps, Map(U, 3, H)))),
            ["nothing decides which node"],
        ),
        (luns(TAKEOVER, a=HOOKED, b=replace(OTHER, hook="")), []),
        (luns(TAKEOVER, a=HOOKED, b=OTHER), ["luns[a]: name the same hook, 'drbd'"]),
    ],
)
def test_a_hook_must_have_one_owner(lunmap: Lunmap, sentences: list[str]) -> None:
    """One group decides which node promotes; all nodes that open the device are in it, and hooks agree."""
    found = hook_problems(lunmap)
    assert len(found) == len(sentences)
    assert all(sentence in text for sentence, text in zip(sentences, found, strict=True))


def test_a_group_calls_its_hook_with_the_paths_of_the_node() -> None:
    """Luns without a hook are left out, and a group without any has no call."""
    there = luns(TAKEOVER, a=HOOKED, b=replace(OTHER, hook=""))
    assert hook_calls(there, "n1") == {GROUP: HookCall("drbd", T, "n1,n2", "n1", (("a", PATH),))}
    assert hook_calls(TAKEOVER, "n1") == {}
    gold = HookCall("drbd", T, "gold", "n2", (("a", PATH),))
    assert hook_calls(floats("gold"), "n2") == {GroupId(T, "gold"): gold}
    assert hook_calls(replace(floats("gold"), targets={}), "n2") == {}
