"""The names of a tree for the completion by a shell: read within two seconds, and kept for some seconds.

Nothing here raises an error or prints a line: it would appear in the prompt.
"""

import contextlib
import hashlib
import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import msgspec
from msgspec.structs import replace

from lunmapd.core.base.documents import decode
from lunmapd.core.base.lunmap import SECTIONS, Lun
from lunmapd.core.base.permissions.principals import FLOATING
from lunmapd.core.edits.find import GROUP_PREFIX
from lunmapd.core.map.short_names import shorten_names
from lunmapd.files import replace_file
from lunmapd.service import zookeeper
from lunmapd.service.ctl.connect import endpoint_of
from lunmapd.service.ctl.connection import Connection, TlsFiles
from lunmapd.service.ctl.start.completion import MAPPED
from lunmapd.store.session import paths
from lunmapd.store.tree.znodes import list_children, read_znodes

_Names = dict[str, list[str]]

_KEPT = 5.0
_PATIENCE = 2.0
_MAX_REVISIONS = 20


def known_names(options: Mapping[str, object], lun: str = "") -> _Names:
    """Return the names by section, the floating and takeover groups, and the newest revisions.

    With `lun` also the hosts and groups to which this Lun is mapped.

    There are none if the tree can't be read in two seconds.

    `options` are those of lunmapctl before the verb. The answer is kept in the user's cache for five seconds,
    also that there is none.
    """
    try:
        connection = _connection(options)
        file = _cache_file(connection, lun)
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            if time.time() - file.stat().st_mtime < _KEPT:
                return msgspec.json.decode(file.read_bytes(), type=_Names)
        names = _read_in_time(connection, lun)
        with contextlib.suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(file, (msgspec.json.encode(names),))
    except Exception:  # noqa: BLE001 - an error would appear in the prompt
        return {}
    return names


def _connection(options: Mapping[str, object]) -> Connection:
    hosts, chroot = (options.get(name) for name in ("hosts", "chroot"))
    tls = TlsFiles(*(str(options.get(name) or "") for name in ("tls_ca", "tls_certificate", "tls_key")))
    return Connection(
        Path(str(options["config"])),
        None if chroot is None else str(chroot),
        None if hosts is None else str(hosts),
        tls,
    )


def _cache_file(connection: Connection, lun: str) -> Path:
    """Return the file for a tree, in a directory that only this user can read."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    key = hashlib.sha256(repr((connection, lun)).encode()).hexdigest()[:16]
    return Path(base) / "lunmapctl" / f"names-{key}.json"


def _read_in_time(connection: Connection, lun: str) -> _Names:
    """Read the names in a thread of its own: looking up the name of a server, too, may hang."""
    found: _Names = {}
    thread = Thread(target=_read_into, args=(found, connection, lun), daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return {} if thread.is_alive() else found


def _read_into(found: _Names, connection: Connection, lun: str) -> None:
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        found |= _read(connection, lun)


def _read(connection: Connection, lun: str) -> _Names:
    zookeeper.silence_kazoo()
    endpoint = replace(endpoint_of(connection), deadline=_PATIENCE / 2)
    with zookeeper.create_session(endpoint) as session:
        names: _Names = {section: sorted(list_children(session, section) or []) for section in SECTIONS}
        leased = list_children(session, FLOATING) or []
        revisions = paths.numbers_in(list_children(session, paths.REVISIONS) or [])
        found = read_znodes(session, (f"luns/{lun}",))[0] if lun in names["luns"] else None
    short = {name: name for section in SECTIONS for name in names[section]}
    for section in ("initiators", "targets"):
        short |= shorten_names(names[section])
        names[section] = [short[name] for name in names[section]]
    if found is not None:
        mapped = {
            f"{GROUP_PREFIX}{each.group}" if each.group else short.get(each.initiator, each.initiator)
            for each in decode(found.data, Lun).maps
        }
        names[MAPPED] = sorted(mapped)
    newest = [str(number) for number in sorted(revisions, reverse=True)[:_MAX_REVISIONS]]
    return names | {"floating": sorted({name.partition(" ")[2] for name in leased}), "revisions": newest}
