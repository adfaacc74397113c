"""A path to a Lun through one node, and its label in tables."""

from msgspec import Struct


class NodePath(Struct, frozen=True, gc=False, omit_defaults=True):
    """A path to a Lun: the node that reports it, and `ok` or a word for the reason why it is not usable.

    `change_held`: the path is usable as it was, because the node holds a change of it. A path through a
    floating group has the group's name in `floating`, and its `target`; its node is the owner, "" if there is
    none, and `standby` are the other nodes that could own it now. So it is with the path through the owner of
    a takeover group, but that has its own node's TPG and no `floating`.
    """

    node: str
    state: str
    change_held: bool = False
    target: str = ""
    floating: str = ""
    standby: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The node as tables show it, behind the name of the floating group: `n1`, `gold@n1`, `gold`."""
        return path_label(self.node, self.floating)


def path_label(node: str, floating: str) -> str:
    """Return a path as tables show it, see NodePath.label."""
    return "@".join(filter(None, (floating, node)))
