"""Maps of single nodes: a saveconfig.json of targetcli, and a draft of `lunmapd adopt`. Pure."""

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.passwords import passwords_of
from lunmapd.core.adoption.saveconfig import read_saveconfig
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.conversion.conversion import Conversion, Notes, SourceText
from lunmapd.core.map.mapfile import parse_map

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
    notes.passwords |= passwords_of(foreign, adoption.lunmap, node)
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
