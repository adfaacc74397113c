"""Maps of single nodes: a saveconfig.json of targetcli, and a draft of `lunmapd adopt`. Pure."""

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.foreign import ForeignConfiguration
from lunmapd.core.adoption.saveconfig import read_saveconfig
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.conversion.conversion import Conversion, Notes, SourceText
from lunmapd.core.map.credentials import (
    CHAP,
    DISCOVERY_CHAP,
    DISCOVERY_MUTUAL,
    MUTUAL,
    initiator_path,
    node_path,
)
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.node import lio_objects

_PORT_IDS = (
    "it has no port ids, so a commit chooses them: to take over what runs, use 'lunmapd adopt' on the node"
)


def convert_saveconfig(source: SourceText, node: str) -> Conversion:
    """Return the conversion of the saveconfig.json of a node. Raises NotSaveconfigError."""
    notes = Notes()
    foreign = read_saveconfig(source.text.encode(), source.name)
    adoption = adopt(foreign, node)
    _note_objects(adoption.lunmap, notes, source.name)
    if adoption.lunmap.targets:
        notes.changed(source.name, _PORT_IDS)
    for name, reason in adoption.refused.items():
        notes.lost(f"{source.name}: {name}", reason)
    for note in adoption.notes:
        notes.changed(source.name, note)
    _note_passwords(foreign, adoption.lunmap, node, notes)
    return notes.conversion(adoption.lunmap)


def convert_draft(source: SourceText) -> Conversion:
    """Return the conversion of a map file, such as a draft of `lunmapd adopt`. Raises InvalidInputError."""
    notes = Notes()
    lunmap, _ = parse_map(source.text, source.name)
    _note_objects(lunmap, notes, source.name)
    return notes.conversion(lunmap)


def _note_objects(lunmap: Lunmap, notes: Notes, name: str) -> None:
    for section, key, _ in lunmap.documents():
        notes.carried(f"{name}: {key}", f"{section}[{key}]")


def _note_passwords(foreign: ForeignConfiguration, lunmap: Lunmap, node: str, notes: Notes) -> None:
    """Note the passwords of the objects that the map has."""
    given = {
        initiator_path(acl.initiator): (acl.credentials, CHAP, MUTUAL)
        for tpg in foreign.tpgs
        if tpg.iqn in lunmap.targets
        for acl in tpg.acls
    }
    if node in lunmap.nodes and foreign.discovery is not None:
        given[node_path(node)] = (foreign.discovery, DISCOVERY_CHAP, DISCOVERY_MUTUAL)
    for path, (credentials, first, mutual) in given.items():
        _note_pair(credentials, (path, first), (path, mutual), notes)


def _note_pair(
    credentials: lio_objects.ChapCredentials, first: tuple[str, str], mutual: tuple[str, str], notes: Notes
) -> None:
    if credentials.userid:
        notes.passwords[first] = credentials.password
    if credentials.userid_mutual:
        notes.passwords[mutual] = credentials.password_mutual
