"""The target port groups (ALUA) through which a node shows a storage object."""

from msgspec import Struct

from lunmapd.core.base.lunmap import AluaState


class Alua(Struct, frozen=True, gc=False):
    """The target port group through which this node shows a storage object.

    `id` is the node's TPG tag, 1 to 65535. `state` is the name of an AluaState, or the number of a state
    that has no such name, which only an out-of-band edit sets. `intact` is false if the access type or
    the delay of the group is not as lunmapd writes it. Source: drivers/target/target_core_alua.c.

    A `leased` one, which only the desired state has, is that of a takeover group: the lease makes it
    optimized on the owner, beside the passes (agent/floating). It equals the group in `state` and the
    optimized one, so that a plan sees a difference only if LIO has a third state.
    """

    id: int
    state: str
    preferred: bool = False
    intact: bool = True
    leased: bool = False

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same group in the same state, or in one that the lease decides."""
        if not isinstance(other, Alua):
            return NotImplemented
        same = (self.id, self.preferred, self.intact) == (other.id, other.preferred, other.intact)
        return same and (self.state == other.state or self._covers(other) or other._covers(self))

    def __hash__(self) -> int:
        """Return the hash of every state: a leased one equals two of them."""
        return hash((self.id, self.preferred, self.intact))

    def _covers(self, other: "Alua") -> bool:
        return self.leased and other.state == AluaState.OPTIMIZED

    def __str__(self) -> str:
        altered = "" if self.intact else ", changed outside lunmapd"
        return f"{self.state}{' and preferred' if self.preferred else ''}, as group {self.id}{altered}"


class DefaultGroup(Struct, frozen=True, gc=False, omit_defaults=True):
    """The target port group that the kernel makes with each device, `default_tg_pt_gp`.

    A LUN that is in no other group is in this one. `state` is the name of an AluaState, or the number of a
    state that has no such name; `access_type` is as its file reads. The default values are the desired ones.
    The kernel's access type of a new group is `Implicit and Explicit`: then any initiator can set the state
    of the group for all initiators. Source: drivers/target/target_core_alua.c.
    """

    state: str = AluaState.OPTIMIZED.value
    preferred: bool = False
    access_type: str = "Implicit"

    def __str__(self) -> str:
        return f"{self.state}{' and preferred' if self.preferred else ''}, access type {self.access_type}"


DEFAULT_GROUP = DefaultGroup()
"""The default group as desired: all storage objects without a difference share this instance."""
