"""The TPGs of floating portal groups, as the loop of the groups uses them (lio/worker/switch.py)."""

from typing import Protocol

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.lunmap import TpgId
from lunmapd.core.base.reasons import Reason


class TpgError(ConditionError, reason=Reason.KERNEL_REFUSED):
    """LIO refused to enable or disable a TPG, or its state could not be read."""


class ForeignTpgError(TpgError, reason=Reason.FOREIGN_TARGET):
    """Another tool has made the target: neither its TPGs nor the addresses of the group are touched."""


class TpgStuckError(TpgError, reason=Reason.STUCK):
    """Disabling a TPG did not end within the deadline: commands of its sessions don't end."""


class Tpgs(Protocol):
    """Enables and disables TPGs. Every call may come from another thread, and waits for no other TPG.

    All raise TpgError.
    """

    def is_enabled(self, tpg: TpgId) -> bool:
        """Return whether LIO has the TPG enabled, read from LIO; a missing one is not."""

    def enable(self, tpg: TpgId, port_id: int) -> None:
        """Enable the TPG with this relative target port id."""

    def disable(self, tpg: TpgId) -> None:
        """Disable the TPG: its sessions end, and their commands have ended. Raises TpgStuckError."""

    def close(self) -> None:
        """End what the implementation runs. LIO stays as it is."""
