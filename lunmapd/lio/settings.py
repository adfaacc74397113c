"""Attributes and parameters: read, compared, written only where they differ."""

from lunmapd.core import lio
from lunmapd.lio import files, rts
from lunmapd.lio.refusal import RefusedError


def write_settings(item: lio.Tpg) -> None:
    """Bring the TPG's parameters, first of them the mark, and attributes to what they must be."""
    tpg = rts.tpg(item.iqn, item.tag, "lookup")
    for name, value in item.parameters:
        if _must_write(tpg, "param", name, value):
            tpg.set_parameter(name, value)
    write_attributes(tpg, item.attributes)


def write_attributes(node: rts.Node, attributes: lio.Settings) -> None:
    """Bring attributes to what they must be. Raises RefusedError where this kernel has no such attribute."""
    for name, value in attributes:
        if _must_write(node, "attrib", name, value):
            node.set_attribute(name, value)


def _must_write(node: rts.Node, group: str, name: str, value: str) -> bool:
    current = files.read(f"{node.path}/{group}/{name}")
    if current is None:
        raise RefusedError("AttributeUnsupported", f"this kernel has no {group}/{name} in {node.path}")
    return current != value
