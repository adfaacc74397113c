"""What a node's LIO offers to initiators, read from a plain listing of configfs.

It shares no code with lunmapd. A listing maps the path of each file below configfs' target directory to its
text, and that of each link to `-> PATH`, with the path of the directory that it leads to. A directory has "".
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

Listing = Mapping[str, str]
View = Mapping[tuple[str, ...], str]
"""One entry for each fact that an initiator depends on.

    ("disk", name)                          serial of a storage object, and the path of its file
    ("tpg", iqn, tag)                       whether it is enabled, who may log in
    ("portal", iqn, tag, address)           ""
    ("acl", iqn, tag, initiator)            the users of CHAP, and whether the ACL has a rule of its own
    ("lun", iqn, tag, initiator, number)    serial, "rw" or "ro"
    ("unmarked", iqn, tag)                  "enabled", for a TPG without lunmapd's mark
"""

_SKIPPED = frozenset({"alua", "pr", "action", "statistics", "fabric_statistics", "discovery_auth"})
_READ = {
    "attrib": ("authentication", "generate_node_acls", "demo_mode_write_protect", "tpg_enabled_sendtargets"),
    "auth": ("userid", "userid_mutual"),
    "param": ("AuthMethod", "TargetAlias"),
    "wwn": ("vpd_unit_serial",),
}
"""The files that are read of large directories. Of other directories these are read:"""
_ALONE = ("/enable", "/rtpi", "/write_protect")
_INFO = re.compile(r"core/[^/]+/[^/]+/info")
_TPG = re.compile(r"iscsi/([^/]+)/tpgt_(\d+)")
FOREIGN = "iqn.2026-01.org.example:foreign"
"""A target of another tool; its storage object, if it has one, is in the HBA `rd_mcp_0`."""
_FOREIGN_PARTS = (f"iscsi/{FOREIGN}", "core/rd_mcp_0")
_OWN_MARK = "lunmapd"
_NULL = "NULL"


def list_configfs(root: Path) -> Listing:
    """Return the listing of a real configfs; what vanishes meanwhile is left out."""
    return dict(_walk(root, ""))


def _walk(root: Path, inside: str) -> Iterator[tuple[str, str]]:
    try:
        entries = list(os.scandir(root / inside))
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{inside}/{entry.name}".removeprefix("/")
        if entry.is_symlink():
            yield path, f"-> {os.path.realpath(entry.path).removeprefix(f'{root}/')}"
        elif not entry.is_dir():
            if path.endswith(_ALONE) or _INFO.fullmatch(path):
                yield path, _text(root / path)
        elif entry.name in _READ:
            files = (f"{path}/{name}" for name in _READ[entry.name])
            yield from ((file, _text(root / file)) for file in files if (root / file).exists())
        elif entry.name not in _SKIPPED:
            yield path, ""
            yield from _walk(root, path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def read_view(listing: Listing) -> View:
    """Return what the marked TPGs and the storage objects of lunmapd offer."""
    facts: dict[tuple[str, ...], str] = {}
    for path, text in listing.items():
        facts.update(_disk(listing, path, text))
        tpg = _TPG.match(path)
        if tpg and listing.get(f"{tpg[0]}/param/TargetAlias") == _OWN_MARK:
            facts.update(_of_tpg(listing, tpg, path.removeprefix(tpg[0]), text))
        elif tpg and tpg[1] != FOREIGN and path == f"{tpg[0]}/enable" and text == "1":
            facts["unmarked", tpg[1], tpg[2]] = "enabled"
    return facts


def foreign_part(listing: Listing) -> Listing:
    """Return the part of the listing that belongs to the other tool."""
    return {path: text for path, text in listing.items() if path.startswith(_FOREIGN_PARTS)}


def _disk(listing: Listing, path: str, text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    found = re.fullmatch(r"(core/[a-z_]+_(\d+)/([^/]+))/wwn/vpd_unit_serial", path)
    if found and int(found[2]) >= 10_000:
        info = listing.get(f"{found[1]}/info", "")
        file = re.search(r"File: (\S+)", info)
        yield ("disk", found[3]), f"{serial_of(text)} {file[1] if file else ''}".strip()


def serial_of(text: str) -> str:
    """Return the serial in the text of vpd_unit_serial."""
    return text.removeprefix("T10 VPD Unit Serial Number:").strip()


def _of_tpg(
    listing: Listing, tpg: re.Match[str], inside: str, text: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    iqn, tag, path = tpg[1], tpg[2], tpg[0]
    match inside.split("/")[1:]:
        case ["enable"]:
            yield ("tpg", iqn, tag), _rules(listing, path, enabled=text == "1")
        case ["np", address]:
            yield ("portal", iqn, tag, address), ""
        case ["acls", initiator]:
            yield ("acl", iqn, tag, initiator), _credentials(listing, f"{path}/acls/{initiator}")
        case ["acls", initiator, lun, _] if text.startswith("-> "):
            protected = listing.get(f"{path}/acls/{initiator}/{lun}/write_protect")
            access = "rw" if protected == "0" else "ro"
            if serial := _shown(listing, text):
                yield ("lun", iqn, tag, initiator, lun.removeprefix("lun_")), f"{serial} {access}"


def _rules(listing: Listing, path: str, *, enabled: bool) -> str:
    """Describe who may log in: the port id counts only while the TPG is enabled."""
    attribute = {
        name: listing.get(f"{path}/attrib/{name}", "")
        for name in ("authentication", "generate_node_acls", "tpg_enabled_sendtargets")
    }
    state = f"enabled as {int(listing.get(f'{path}/rtpi', '0'), 0)}" if enabled else "disabled"
    demo = "open" if attribute["generate_node_acls"] == "1" else "closed"
    return (
        f"{state}, {demo}, authentication {attribute['authentication']}, "
        f"sendtargets {attribute['tpg_enabled_sendtargets']}"
    )


def _credentials(listing: Listing, path: str) -> str:
    user, mutual = (listing.get(f"{path}/auth/{name}", "") for name in ("userid", "userid_mutual"))
    own = listing.get(f"{path}/attrib/authentication", "-1")
    texts = [f"chap {_shown_user(user)}/{_shown_user(mutual)}"]
    return ", ".join(texts + ([f"own authentication {own}"] if own not in {"-1", ""} else []))


def _shown_user(text: str) -> str:
    return "" if text == _NULL else text


def _shown(listing: Listing, link: str) -> str:
    """Return the serial behind a mapped LUN, "" if it leads to nothing.

    It leads to a LUN of the TPG, and that to a storage object. A listing of a LIO that changes meanwhile may
    lack one of both.
    """
    lun = link.removeprefix("-> ")
    for path, text in listing.items():
        if path.startswith(f"{lun}/") and text.startswith("-> core/"):
            return serial_of(listing.get(f"{text.removeprefix('-> ')}/wwn/vpd_unit_serial", ""))
    return ""
