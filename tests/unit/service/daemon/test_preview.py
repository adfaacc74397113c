"""The text and the JSON of `lunmapd plan`."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.next_pass import NextPass
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
