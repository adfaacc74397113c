"""`lunmapd adopt`.

A map of the objects of another tool, the check that the map describes them exactly, and taking them over.
"""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.directory import state_directory
from lunmapd.core.adoption.adopt import Adoption, adopt
from lunmapd.core.adoption.check import AdoptionCheck, check_files, check_found, check_saved
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.passwords import passwords_of
from lunmapd.core.adoption.saveconfig import read_saveconfig
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.lunmap import Chap, Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.base.text import printable_json
from lunmapd.core.map import mapfile
from lunmapd.core.map.credentials import all_credentials, change_credentials
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.plan import Plan, plan
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault
from lunmapd.lio.apply.mark import mark_adopted
from lunmapd.lio.base import rts
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.observe.observe import kernel_features
from lunmapd.lio.observe.observe_foreign import observe_foreign
from lunmapd.lio.worker.kernel import Kernel
from lunmapd.service import zookeeper
from lunmapd.service.keyfile import read_keys
from lunmapd.service.output import echo
from lunmapd.service.settings import Settings
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot, effective_map

_NOTHING = (
    "there is nothing to take over: the map has no target that another tool serves here; if a "
    "'lunmapd adopt --take' was interrupted, start lunmapd, which completes it"
)


class LioUnreadableError(LunmapdError):
    """LIO can't be read: that takes root, and loaded modules."""


class NotAdoptableError(LunmapdError):
    """The running configuration differs from the map, so nothing is taken over."""

    exit_code = Exit.DEGRADED


def draft_map(file: Path | None, node: str, sealed_by: Settings | None) -> Adoption:
    """Return the map of the running configuration, or of a saveconfig.json.

    With `sealed_by` it has the CHAP passwords, sealed with the key of these settings. Raises LunmapdError.
    """
    found = _find(file)
    made = adopt(found, node)
    if sealed_by is None:
        return made
    vault = Vault(_snapshot(sealed_by).cluster, read_keys(Path(sealed_by.key_file)))
    passwords = passwords_of(found, made.lunmap, node)
    return msgspec.structs.replace(made, lunmap=_sealed(made.lunmap, passwords, vault))


def format_draft(made: Adoption, output: str) -> Iterator[str]:
    """Yield the lines of a draft, as a map file or as JSON.

    A map without targets is not printed as a map file: committing it would remove the node from the map.
    """
    if output == "json":
        shown = {
            "map": msgspec.to_builtins(made.lunmap),
            "not_adopted": dict(made.refused),
            "notes": list(made.notes),
        }
        yield from printable_json(msgspec.json.format(msgspec.json.encode(shown)).decode()).split("\n")
        return
    yield from _head(made)
    if made.lunmap.targets:
        yield from mapfile.show_map(made.lunmap).removesuffix("\n").split("\n")


def _head(made: Adoption) -> Iterator[str]:
    yield "# Made by 'lunmapd adopt'. 'lunmapctl apply -f' takes it, together with what the map has already."
    for name, reason in made.refused.items():
        yield f"# not taken over: {name}: {reason}"
    for note in made.notes:
        yield f"# note: {note}"
    if not all(chap.password for _, _, chap in all_credentials(made.lunmap)):
        yield "# CHAP passwords are missing: 'lunmapd adopt --seal' adds them, sealed with this node's key."
    if not made.lunmap.targets:
        yield "# There is no map: no target can be taken over."


def check_adoption(settings: Settings, file: Path | None = None) -> AdoptionCheck:
    """Compare what runs, or a saveconfig.json, with the effective map. Raises LunmapdError."""
    snapshot, found = _snapshot(settings), _find(file)
    vault = Vault(snapshot.cluster, read_keys(Path(settings.key_file)))
    lunmap = effective_map(snapshot)
    given = PassInput(settings.node, snapshot.revision, lunmap, snapshot.unreadable, vault)
    return check_saved(found, given) if file else check_found(found, given, kernel_features())


def check_offline(file: Path, map_file: Path, node: str) -> AdoptionCheck:
    """Compare a saveconfig.json with a map file. Raises LunmapdError."""
    lunmap, _ = mapfile.parse_map(_bytes(map_file).decode(errors="replace"), str(map_file))
    return check_files(_find(file), lunmap, node)


def take_over(settings: Settings) -> AdoptionCheck:
    """Mark the objects that the map describes as ours, and set what differs. Raises LunmapdError.

    The daemon must not run.
    """
    with state_directory(Path(settings.state_dir)) as directory:
        checked = check_adoption(settings)
        if checked.blocking:
            raise NotAdoptableError("nothing is taken over: 'lunmapd adopt --check' says why")
        if not checked.wanted:
            raise NotAdoptableError(_NOTHING)
        claims = Claims(directory)
        if lio_objects.DISCOVERY_AUTH in checked.wanted:
            _claim_discovery(claims)
        try:
            mark_adopted(rts.ROOT, checked.found, checked.wanted)
        except KernelRefusedError as error:
            raise NotAdoptableError(f"{error}; run this again") from error
        _settle(checked, claims)
    return checked


def _claim_discovery(claims: Claims) -> None:
    """Record that discovery's credentials are lunmapd's. Raises NotAdoptableError."""
    if not claims.save(claims.load() | {lio_objects.DISCOVERY_CLAIM}):
        raise NotAdoptableError(f"{claims.problem}; nothing is taken over")


def _settle(checked: AdoptionCheck, claims: Claims) -> None:
    """Execute the remaining settings, and check that nothing differs and that no session has ended."""
    kernel = Kernel()
    try:
        for report in kernel.apply(_left(kernel, checked, claims)):
            if report.failure is not None:
                raise NotAdoptableError(f"{report.step}: {report.failure.message}")
        if left := _left(kernel, checked, claims):
            raise NotAdoptableError(f"taken over, but not as the map says: {left[0]}")
        sessions = kernel.observe(claims.load()).sessions
    finally:
        kernel.close()
    wanted = {item.iqn for item in checked.wanted.values() if isinstance(item, lio_objects.Target)}
    if gone := {one for one in checked.found.sessions if one.iqn in wanted} - set(sessions):
        raise NotAdoptableError(f"taken over; {len(gone)} sessions have ended meanwhile")


def _left(kernel: Kernel, checked: AdoptionCheck, claims: Claims) -> Plan:
    """Return the plan for the objects that were taken over, without those that were ours before."""
    observed = kernel.observe(claims.load()).objects
    mine = as_ours(checked.found, checked.wanted).keys() | checked.wanted.keys()
    return plan(checked.wanted, {name: item for name, item in observed.items() if name in mine})


def _snapshot(settings: Settings) -> Snapshot:
    with zookeeper.create_session(settings.zookeeper) as session:
        # As the daemon reads it: in a rollout it may follow the map before, and remove what was taken over.
        return read_tree(session, node=settings.node)


def _find(file: Path | None) -> ForeignConfiguration:
    if file is not None:
        return read_saveconfig(_bytes(file), str(file))
    try:
        return observe_foreign(rts.ROOT)
    except OSError as error:
        raise LioUnreadableError(f"can't read LIO: {error}; this needs root") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise LioUnreadableError(f"can't read {file}: {error.strerror}") from error


def _sealed(lunmap: Lunmap, passwords: Mapping[tuple[str, str], Secret], vault: Vault) -> Lunmap:
    """Return the map with its passwords, sealed. Raises NoKeyError."""

    def sealed(path: str, field: str, chap: Chap) -> Chap:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Chap(chap.user, vault.seal(path, field, passwords[path, field], nonce))

    return change_credentials(lunmap, sealed)


def print_check(checked: AdoptionCheck, *, taken: bool, file: bool) -> None:
    """Print the result of a check, of what runs or of a file, or of taking over."""
    for line in checked.blocking:
        echo(f"differs: {line}")
    for line in checked.settings:
        echo(f"{'set' if taken else 'would be set'}: {line}")
    targets = sum(isinstance(item, lio_objects.Target) for item in checked.wanted.values())
    if taken:
        echo(f"taken over: {targets} targets, no session was dropped; the plan is empty")
    elif file and not checked.blocking:
        echo(f"the plan is empty: {targets} targets are as in the map")
    elif not checked.blocking:
        echo(f"the plan is empty: {targets} targets can be taken over with 'lunmapd adopt --take'")
