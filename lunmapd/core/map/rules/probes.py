"""Rules of probes: they prove who they are, and get no Lun that they could write."""

from collections.abc import Iterator

from lunmapd.core.base.backings import plugin_of
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Access, Lun, Lunmap, Map, initiators_of


def check_probes(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every probe and its maps."""
    probes = {iqn for iqn, initiator in lunmap.initiators.items() if initiator.probe}
    for iqn in sorted(probes):
        if lunmap.initiators[iqn].chap is None:
            yield Problem(
                ("initiators", iqn, "chap"),
                f"a probe needs a password: 'lunmapctl probe-setup {iqn}' makes both in one commit",
            )
    if probes:
        yield from _maps(lunmap, probes)


def _maps(lunmap: Lunmap, probes: set[str]) -> Iterator[Problem]:
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            risk = write_risk(lun, entry)
            for iqn in sorted(probes.intersection(initiators_of(lunmap, entry))) if risk else ():
                yield Problem(
                    ("luns", name, "maps", index), f"{iqn!r} is a probe, which may write nothing: {risk}"
                )


def write_risk(lun: Lun, entry: Map) -> str:
    """Return why an initiator could write to a Lun through a map, "" if it can't.

    LIO keeps a read-only mapping by the direction of the data. It does not know the commands without data
    that a passed-through device or a program executes (docs/security.md).
    """
    if entry.access is not Access.READ_ONLY:
        return "use 'access: ro'"
    kind = lun.backing.__struct_config__.tag
    return "" if plugin_of(lun.backing).emulated else f"'access: ro' does not hold for a {kind} Lun"
