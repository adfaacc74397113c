"""A group whose storage a hook promotes before it gets its addresses, and demotes after it lost them."""

from typing import Protocol

from msgspec.structs import replace

from lunmapd.agent.floating.addresses import (
    Addresses,
    Duplicate,
    GroupAddresses,
    HookFailedError,
    LeaseProcessError,
    Presence,
)
from lunmapd.core.floating.promotion import HookCall, HookReport, Promotion
from lunmapd.lio.worker.switch import SwitchAction
from lunmapd.lio.worker.switch_process import SwitchLateError, SwitchRefusedError


class HookProcess(Protocol):
    """The process that runs hooks (lio/worker/switch_process.py)."""

    def ask_hook(
        self, action: SwitchAction, group: str, hook: HookCall | None, not_after: float, until: float
    ) -> HookReport:
        """Return how far the storage of a group is after a request.

        Raises SwitchRefusedError and SwitchLateError.
        """


class Hooked:
    """The addresses of one group with its hook, if it has one (agent.floating.addresses.Addresses).

    The hook is run by a process of its own, which demotes the storage at the end of the last grant.
    """

    def __init__(self, addresses: Addresses, process: HookProcess, group: str) -> None:
        """Use `addresses` and `process`, which must be closed by the caller."""
        self._addresses, self._process, self._group = addresses, process, group
        self._has_hook = False

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which addresses the kernel has, and how far the storage is."""
        found = self._addresses.presence(_plain(group))
        if group.hook is None:
            self._forget()
            return found
        self._has_hook = True
        report = self._ask(SwitchAction.READ_HOOK, group.hook)
        return replace(found, promotion=report.promotion, problem=found.problem or report.problem)

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Ask the network for the addresses."""
        return self._addresses.detect_duplicates(_plain(group))

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Let the storage be promoted; give the addresses to the kernel once it is."""
        if group.hook is not None:
            report = self._ask(SwitchAction.PROMOTE, group.hook, not_after, not_after + lifetime)
            if report.promotion is not Promotion.PROMOTED:
                return
        self._addresses.grant(_plain(group), lifetime, not_after)

    def announce(self, group: GroupAddresses) -> None:
        """Inform the neighbours."""
        self._addresses.announce(_plain(group))

    def drop(self, group: GroupAddresses) -> None:
        """Remove the addresses, then let the storage be demoted. Raises HookFailedError."""
        self._addresses.drop(_plain(group))
        if group.hook is None:
            return
        report = self._ask(SwitchAction.DEMOTE, group.hook)
        if report.problem is not None and report.promotion is Promotion.UNKNOWN:
            raise HookFailedError(report.problem.message)

    def close(self) -> None:
        """Do nothing: the processes are another's."""

    def _forget(self) -> None:
        if self._has_hook:
            self._ask(SwitchAction.FORGET_HOOK, None)
            self._has_hook = False

    def _ask(
        self, action: SwitchAction, hook: HookCall | None, not_after: float = 0.0, until: float = 0.0
    ) -> HookReport:
        try:
            return self._process.ask_hook(action, self._group, hook, not_after, until)
        except (SwitchRefusedError, SwitchLateError) as error:
            raise LeaseProcessError(f"the hook of {self._group}: {error}") from None


def _plain(group: GroupAddresses) -> GroupAddresses:
    return group if group.hook is None else replace(group, hook=None)
