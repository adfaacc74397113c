"""What the lease of a takeover group gives in place of addresses: the optimized state of its Luns."""

from collections.abc import Callable, Mapping

from lunmapd.agent.floating.addresses import Duplicate, GroupAddresses, LeaseProcessError, Presence
from lunmapd.core.base.lunmap import AluaState, TpgId
from lunmapd.lio.worker.switch_process import SwitchLateError, SwitchProcess, SwitchRefusedError


class LunStates:
    """Makes the Luns of one group optimized for a limited time (agent.floating.addresses.Addresses).

    The states are written by a process of its own, which closes the Luns at the end of the last grant.
    """

    def __init__(self, process: SwitchProcess, group: str) -> None:
        """Use `process`, which must be closed by the caller; `group` distinguishes the groups there."""
        self._process, self._group = process, group

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which Luns are optimized, and which LIO does not have. Raises LeaseProcessError.

        A group that the map no longer has has none, and the end of its last grant must close none either.
        """
        closed = dict(group.closed)
        if not closed:
            self.drop(group)
            return Presence()
        states = self._ask(lambda: self._process.ask_luns(self._group, closed))
        present = (name for name, state in states.items() if state == AluaState.OPTIMIZED)
        return Presence(frozenset(present), absent=frozenset(closed.keys() - states.keys()))

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Return None: the state of a Lun is that of a node, not of the network."""

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Make the Luns optimized until `lifetime` seconds after `not_after`. Raises LeaseProcessError."""
        until = not_after + lifetime
        self._ask(lambda: self._process.open_luns(self._group, dict(group.closed), not_after, until))

    def announce(self, group: GroupAddresses) -> None:
        """Do nothing: the kernel establishes a unit attention for the initiators."""

    def drop(self, group: GroupAddresses) -> None:
        """Give the Luns the state that they have without the lease. Raises LeaseProcessError."""
        self._ask(lambda: self._process.close_luns(self._group, dict(group.closed)))

    def close(self) -> None:
        """Do nothing: the process is another's."""

    def _ask(self, ask: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        try:
            return ask()
        except (SwitchRefusedError, SwitchLateError) as error:
            raise LeaseProcessError(f"the ALUA states of takeover group {self._group}: {error}") from None


class NoTpg:
    """Stands for the TPG of a group that has none (agent.floating.tpgs.Tpgs)."""

    def __init__(self) -> None:
        """Start disabled."""
        self._enabled = False

    def is_enabled(self, tpg: TpgId) -> bool:  # noqa: ARG002 - there is none
        """Return whether it was enabled last."""
        return self._enabled

    def enable(self, tpg: TpgId, port_id: int) -> None:  # noqa: ARG002 - there is none
        """Note that it is enabled."""
        self._enabled = True

    def disable(self, tpg: TpgId) -> None:  # noqa: ARG002 - there is none
        """Note that it is disabled."""
        self._enabled = False

    def close(self) -> None:
        """Do nothing."""
