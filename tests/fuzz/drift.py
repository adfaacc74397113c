"""Out-of-band changes of LIO: what admins, other tools and killed workers do to the objects of lunmapd."""

import random
from collections.abc import Callable

from fuzz import documents
from fuzz.view import Listing
from fuzz.world import Lio

Change = Callable[[Lio, random.Random, Listing], None]
_STRANGER = "iqn.2026-01.org.example:stranger"


def _own(listing: Listing, *parts: str) -> list[str]:
    """Return the directories of lunmapd's objects whose path has this many parts, and these in places."""
    marked = {path.removesuffix("/param/TargetAlias") for path, text in listing.items() if text == "lunmapd"}
    own = (path for path in listing if path.startswith(tuple(f"{tpg}/" for tpg in marked)) or path in marked)
    return sorted(path for path in own if _fits(path.split("/"), parts))


def _fits(path: list[str], parts: tuple[str, ...]) -> bool:
    return len(path) == len(parts) and all(part in {"*", at} for part, at in zip(parts, path, strict=True))


_TPG = ("iscsi", "*", "*")
_ACL = (*_TPG, "acls", "*")
_LUN = (*_TPG, "lun", "*")


def _mapped(listing: Listing) -> list[str]:
    return [path for path in _own(listing, *_ACL, "*") if path.rpartition("/")[2].startswith("lun_")]


def _disks(listing: Listing) -> list[str]:
    return sorted(
        path.removesuffix("/wwn/vpd_unit_serial")
        for path in listing
        if path.endswith("/wwn/vpd_unit_serial") and "rd_mcp_0/" not in path
    )


def _remove(lio: Lio, source: random.Random, listing: Listing) -> None:
    kinds = (
        _mapped(listing), _own(listing, *_ACL), _own(listing, *_LUN), _own(listing, *_TPG, "np", "*"),
        _own(listing, *_TPG), sorted({path.rpartition("/")[0] for path in _own(listing, *_TPG)}), _disks(listing),
    )  # fmt: skip
    if some := source.choice(kinds):
        lio.remove(source.choice(some))


def _protect(lio: Lio, source: random.Random, listing: Listing) -> None:
    if some := _mapped(listing):
        lio.write(f"{source.choice(some)}/write_protect", source.choice("01"))


def _enable(lio: Lio, source: random.Random, listing: Listing) -> None:
    if some := _own(listing, *_TPG):
        lio.write(f"{source.choice(some)}/enable", source.choice("01"))


def _open(lio: Lio, source: random.Random, listing: Listing) -> None:
    if some := _own(listing, *_TPG):
        name = source.choice(("generate_node_acls", "authentication", "demo_mode_write_protect"))
        lio.write(f"{source.choice(some)}/attrib/{name}", source.choice("01"))


def _override_acl(lio: Lio, source: random.Random, listing: Listing) -> None:
    if some := _own(listing, *_ACL):
        lio.write(f"{source.choice(some)}/attrib/authentication", "0")


def _let_in(lio: Lio, source: random.Random, listing: Listing) -> None:
    """Let a stranger, or another host, see a Lun."""
    luns = _own(listing, *_LUN)
    if not luns:
        return
    lun = source.choice(luns)
    acl = f"{lun.partition('/lun/')[0]}/acls/{source.choice((_STRANGER, *documents.HOSTS))}"
    if acl not in listing:
        lio.make(acl)
    number = source.randrange(6)
    if f"{acl}/lun_{number}" not in listing:
        lio.make(f"{acl}/lun_{number}", lun)


def _lead_elsewhere(lio: Lio, source: random.Random, listing: Listing) -> None:
    """Let a number lead a host to another Lun."""
    mapped = _mapped(listing)
    if not mapped:
        return
    path = source.choice(mapped)
    luns = [lun for lun in _own(listing, *_LUN) if lun.startswith(path.partition("/acls/")[0])]
    if luns:
        lio.remove(path)
        lio.make(path, source.choice(luns))


def _add_portal(lio: Lio, source: random.Random, listing: Listing) -> None:
    if some := _own(listing, *_TPG):
        lio.make(f"{source.choice(some)}/np/10.9.8.{source.randint(50, 52)}:3260")


def _half(lio: Lio, source: random.Random, listing: Listing) -> None:
    """Leave what a kill between two system calls leaves."""
    number = source.randrange(500, 520)
    kinds = [f"core/fileio_{10_000 + number}"]
    kinds += [f"{tpg}/lun/lun_{number}" for tpg in _own(listing, *_TPG)]
    kinds += [f"{acl}/lun_{source.randrange(6)}" for acl in _own(listing, *_ACL)]
    path = source.choice(kinds)
    if path not in listing:
        lio.make(path)


_CHANGES: tuple[Change, ...] = (
    _remove, _remove, _remove, _protect, _enable, _open, _override_acl, _let_in, _let_in, _lead_elsewhere,
    _add_portal, _half, _half,
)  # fmt: skip


def change(lio: Lio, source: random.Random) -> None:
    """Make one change."""
    source.choice(_CHANGES)(lio, source, lio.listing())
