"""`lunmapctl probe-setup`: makes a probe in the map and its access file."""

import os
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from lunmapd.client import Chap, Initiator, Lunmap, Note
from lunmapd.core.base.password import Secret
from lunmapd.core.map import credentials, mapfile
from lunmapd.core.probe.setup import check_probe, shared_targets, with_probe
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault
from lunmapd.service import keyfile
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.probe_access import (
    DEFAULT_ACCESS_FILE,
    ProbeAccess,
    check_access_owner,
    write_access,
)
from lunmapd.service.ctl.secrets.options import key_file_option
from lunmapd.service.ctl.secrets.secret_keys import check_key_on_nodes, configured_key_file
from lunmapd.service.ctl.text.output import committing
from lunmapd.service.output import echo

_USER, _TARGET_USER = "probe", "target"
_LETTERS = 16  # at most what every initiator accepts, see sealing.warn_password
_ALPHABET = string.ascii_letters + string.digits


@click.command("probe-setup")
@click.argument("initiator")
@click.argument("luns", nargs=-1, metavar="[LUN]...")
@click.option(
    "--access",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_ACCESS_FILE,
    show_default=True,
    help="The file for the probe's name and passwords.",
)
@click.option("--new-password", is_flag=True, help="Give a probe that exists new passwords.")
@key_file_option
@click.pass_obj
def probe_setup(
    connection: Connection,
    initiator: str,
    luns: tuple[str, ...],
    access: Path,
    new_password: bool,
    key_file: Path | None,
) -> None:
    """Make INITIATOR the name that `probe` logs in with, and map the LUNs to it read-only, in one commit.

    A new probe gets random passwords for both directions, which are written to the access file. Repeat it
    with more LUNs to add them. The probe has LUN numbers of its own. A Lun with a read-only map offers no
    EXTENDED COPY and no WRITE SAME to any host: give the probe a small Lun of its own where that matters.
    """
    with connection.client() as client:
        snapshot = client.read()
        known = snapshot.lunmap.initiators.get(initiator)
        probe = known and check_probe(snapshot.lunmap, initiator)
        needed = shared_targets(snapshot.lunmap, initiator, luns)
        fresh = None
        if probe is None or new_password:
            keys = keyfile.read_keys(key_file or configured_key_file(connection.config))
            check_key_on_nodes(client, keys.current, force=False)
            fresh, probe = _new_probe(initiator, Vault(snapshot.cluster, keys))
        chosen = probe
        numbers = {
            target: client.unused_lun_numbers(initiator, target, count) for target, count in needed.items()
        }

        def put(lunmap: Lunmap) -> Lunmap:
            return with_probe(lunmap, initiator, chosen, frozenset(luns), numbers)

        with _written(access, fresh), committing():
            revision = client.edit(put, Note(f"set up the probe {initiator}"))
        after = client.read().lunmap
    echo(f"committed revision {revision.revision}" if revision else "nothing to change")
    echo(*_advice(after, initiator))


@contextmanager
def _written(access: Path, fresh: ProbeAccess | None) -> Iterator[None]:
    """Write `fresh` passwords beside the access file before they are committed, and put them there after it.

    If the commit fails, the former ones stay: those in the map.
    """
    if fresh is None:
        yield
        return
    check_access_owner(access, fresh.initiator)
    beside = access.with_name(f"{access.name}.new")
    write_access(beside, fresh)
    try:
        yield
    except BaseException:
        echo(f"{access} is as before; if the commit was made, move {beside} there", err=True)
        raise
    beside.replace(access)
    echo(f"wrote {access}: copy it to where the probe runs, with mode 600")


def _new_probe(iqn: str, vault: Vault) -> tuple[ProbeAccess, Initiator]:
    """Return the access and the initiator of a probe with new passwords."""
    password, mutual = (Secret("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))) for _ in range(2))
    place = credentials.initiator_path(iqn)
    sealed = vault.seal(place, credentials.CHAP, password, os.urandom(NONCE_BYTES))
    answer = vault.seal(place, credentials.MUTUAL, mutual, os.urandom(NONCE_BYTES))
    probe = Initiator("lunmapctl probe", Chap(_USER, sealed), Chap(_TARGET_USER, answer), probe=True)
    return ProbeAccess(iqn, password, mutual), probe


def _advice(lunmap: Lunmap, iqn: str) -> tuple[str, ...]:
    """Return the probe as lines of a map file: without them the next `apply` of a file removes it."""
    maps = [
        f'{name}: {{target: "{entry.target}", lun: {entry.lun}, initiator: "{iqn}", access: ro}}'
        for name, lun in sorted(lunmap.luns.items())
        for entry in lun.maps
        if entry.initiator == iqn
    ]
    probe = mapfile.show_map(Lunmap(initiators={iqn: lunmap.initiators[iqn]}), ("initiators",))
    head = "a map file needs the probe too, or the next 'apply' of the file removes it. Its objects:"
    return head, "", *probe.splitlines(), "", "and in the 'maps' of the Luns:", "", *maps
