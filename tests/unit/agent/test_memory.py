"""How long a pass may go by the change of the map alone."""

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lunmapd.agent.memory import Memory
from lunmapd.agent.orders import Orders
from lunmapd.core.desire import desire
from lunmapd.core.lunmap import Lunmap, Node
from lunmapd.core.observed import Observed
from lunmapd.core.offer import Offer
from lunmapd.core.secrets import Keyring, Vault

LUNMAP = Lunmap(nodes={"n1": Node(1)})
ORDERS = Orders("n1", 1, LUNMAP, {}, Vault("c"), confirmed=lambda: None)


def learned(orders: Orders, clock: Clock) -> Memory:
    """Return a memory of a pass by these orders that found nothing wrong."""
    memory = Memory(60.0, clock)
    memory.learn(orders, desire(LUNMAP, {}, "n1", Observed(), orders.vault), Observed())
    return memory


def test_a_part_is_known_until_the_audit() -> None:
    """For the time between two audits the change is enough; after it everything is looked at."""
    clock = Clock(1000.0)
    memory = learned(ORDERS, clock)
    clock.now += 59.9
    assert memory.part(ORDERS) is not None
    memory.settle()
    clock.now += 0.1
    assert memory.part(ORDERS) is None


def test_a_part_that_was_not_settled_is_forgotten() -> None:
    """When it is not known how a part ended, the next pass is a whole one."""
    memory = learned(ORDERS, Clock(1000.0))
    assert memory.part(ORDERS) is not None
    assert memory.part(ORDERS) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(ORDERS, offer=Offer.NONE),
        replace(ORDERS, unreadable={"luns/a": "garbage"}),
        replace(ORDERS, decided=frozenset({("target", "t")})),
        replace(ORDERS, vault=Vault("c", Keyring({"k": bytes(32)}))),
    ],
)
def test_other_orders_ask_for_a_whole_pass(other: Orders) -> None:
    """Isolation, unreadable documents, removals that are due and other keys are not a change of some Luns."""
    memory = learned(ORDERS, Clock(1000.0))
    assert memory.part(other) is None
    assert learned(other, Clock(1000.0)).part(other) is None or other.vault != ORDERS.vault
