"""The text and the JSON of `lunmapd plan`."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.next_pass import NextPass
from lunmapd.core.base.lunmap import Target
from lunmapd.core.node import lio_objects
from lunmapd.core.node.closed_access import with_attributes
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import PassInput, compare, decide
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.secrets.sealing import Vault
from lunmapd.service.daemon.preview import describe
from support.agents import T, mapped_luns

TEN, TWO = mapped_luns(*range(10)), mapped_luns(8, 9)


@pytest.mark.parametrize(
    ("enablement", "executed", "effect"),
    [
        (Enablement.ALL, [], "do nothing"),
        (Enablement.NONE, [("delete", f"enabled {T} 1")], "only enable or disable TPGs"),
    ],
)
def test_a_mass_removal_is_described_with_the_steps_beside_it(
    enablement: Enablement, executed: list[tuple[str, str]], effect: str
) -> None:
    """The line about the confirmation says that TPGs are disabled meanwhile, where isolation does that."""
    before = PassInput("n1", 1, TEN, {}, Vault("c"))
    kernel = Observed(compare(before, Observed()).desired)
    given = replace(before, lunmap=TWO, enablement=enablement)
    comparison = compare(given, kernel)
    decision = decide(given, comparison, None, {}, {})
    plan = describe(NextPass(given, comparison, decision, "ZooKeeper", {}, None, {}, 0.0, True, ()))
    assert [(step.action, step.object) for step in plan.steps if not step.held] == executed
    assert plan.held.startswith(f"unless it is confirmed, the daemon would {effect}: the pass would remove 8")


@pytest.mark.parametrize("targets", [TEN.targets, {}])
def test_access_that_a_held_pass_closes_is_listed(targets: Mapping[str, Target]) -> None:
    """Also that of a TPG which the map does not have any more, and which stays until a confirmation."""
    before = PassInput("n1", 1, TEN, {}, Vault("c"))
    objects = compare(before, Observed()).desired
    tpg = objects["tpg", T, 1]
    assert isinstance(tpg, lio_objects.Tpg)
    opened = with_attributes(tpg, {"generate_node_acls": "1"})
    kernel = Observed({**objects, **lio_objects.by_key([opened])})
    given = replace(before, lunmap=replace(TEN, luns={}, targets=targets))
    comparison = compare(given, kernel)
    decision = decide(given, comparison, None, {}, {})
    plan = describe(NextPass(given, comparison, decision, "ZooKeeper", {}, None, {}, 0.0, True, ()))
    done = [(step.action, step.object) for step in plan.steps if not step.held]
    assert done == [("update", f"tpg {T} 1")]
    assert plan.held.startswith("unless it is confirmed, the daemon would only close opened access: the pass")
