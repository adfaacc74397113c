"""The actions of a group on its addresses, and what its memory keeps of them."""

from collections.abc import Callable

from lunmapd.agent.floating.addresses import Addresses, GroupAddresses
from lunmapd.agent.floating.memory import Memory
from lunmapd.agent.floating.view import in_use
from lunmapd.core.floating.facts import Announce, DetectDuplicates, Drop, DuplicateCheck, Facts, Grant
from lunmapd.core.node.failure import Failure

AddressAction = DetectDuplicates | Grant | Announce | Drop


class AddressActions:
    """Carries out actions on addresses. `clock` returns CLOCK_BOOTTIME, in seconds."""

    def __init__(self, addresses: Addresses, memory: Memory, clock: Callable[[], float]) -> None:
        """Prepare; nothing is done yet."""
        self._addresses, self._memory, self._clock = addresses, memory, clock

    def carry_out(self, group: GroupAddresses, facts: Facts, action: AddressAction) -> Failure | None:
        """Carry out an action; return the problem that it has found. Raises LeaseError."""
        memory = self._memory
        match action:
            case DetectDuplicates():
                return self._detect(group)
            case Grant(version, lifetime, not_after):
                memory.announced = facts.announced and facts.complete
                self._addresses.grant(group, lifetime, not_after)
                memory.granted, memory.granted_for, memory.placed = version, lifetime, group
            case Announce():
                self._addresses.announce(group)
                memory.announced = True
            case Drop():
                self._addresses.drop(group)
        return None

    def _detect(self, group: GroupAddresses) -> Failure | None:
        found = self._addresses.detect_duplicates(group)
        self._memory.check = DuplicateCheck(free=found is None, at=self._clock())
        return None if found is None else in_use(found.address, found.hardware)
