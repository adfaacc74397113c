"""The formats of files that can be converted: which one a file has, and the conversion of several files."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import count
from typing import assert_never

from msgspec.structs import replace

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.conversion.agents import convert_resources
from lunmapd.core.conversion.ceph_iscsi import convert_ceph_iscsi
from lunmapd.core.conversion.cib import read_cib
from lunmapd.core.conversion.cluster_commands import COMMAND, read_commands
from lunmapd.core.conversion.cluster_resources import ClusterResources
from lunmapd.core.conversion.conversion import (
    Choices,
    Conversion,
    NotConvertibleError,
    SourceText,
)
from lunmapd.core.conversion.crm_text import read_crm, read_pcs
from lunmapd.core.conversion.join import Joined, join_maps
from lunmapd.core.conversion.node_maps import convert_draft, convert_saveconfig
from lunmapd.core.conversion.reactor import read_reactor
from lunmapd.core.map import rules
from lunmapd.core.map.offline import filled_offline


class SourceFormat(StrEnum):
    """A format, as users name it."""

    CEPH_ISCSI = "ceph-iscsi"
    LINSTOR_GATEWAY = "linstor-gateway"
    MAP = "map"
    PACEMAKER = "pacemaker"
    SAVECONFIG = "saveconfig"


_CLUSTERS = {SourceFormat.PACEMAKER, SourceFormat.LINSTOR_GATEWAY}

_CRM = re.compile(r"^(primitive|node) ", re.MULTILINE)
_PCS = re.compile(r"^\s*Resource: ", re.MULTILINE)
_SIGNS: tuple[tuple[SourceFormat, re.Pattern[str]], ...] = (
    (SourceFormat.SAVECONFIG, re.compile(r'\A\s*\{.*"storage_objects"\s*:', re.DOTALL)),
    (SourceFormat.CEPH_ISCSI, re.compile(r'\A\s*\{.*"gateways"\s*:', re.DOTALL)),
    (SourceFormat.PACEMAKER, re.compile(r"\A\s*<")),
    (SourceFormat.LINSTOR_GATEWAY, re.compile(r"^\s*\[\[promoter\]\]", re.MULTILINE)),
    (SourceFormat.PACEMAKER, _CRM),
    (SourceFormat.PACEMAKER, _PCS),
    (SourceFormat.PACEMAKER, COMMAND),
    (SourceFormat.MAP, re.compile(r"^(luns|targets|nodes):", re.MULTILINE)),
)


def format_of(source: SourceText) -> SourceFormat:
    """Return the format that a file looks like. Raises NotConvertibleError."""
    for found, sign in _SIGNS:
        if sign.search(source.text):
            return found
    known = ", ".join(SourceFormat)
    raise NotConvertibleError(f"{source.name} is none of the known formats: name one with --from: {known}")


def convert_files(
    sources: Sequence[SourceText], choices: Choices, given: SourceFormat | None = None
) -> Joined:
    """Return the joint map of some files. Raises NotConvertibleError, NotSaveconfigError, InvalidInputError.

    The files of one Pacemaker cluster, or of one LINSTOR Gateway, are read together.
    """
    by_format: dict[SourceFormat, list[SourceText]] = {}
    for source in sources:
        by_format.setdefault(given or format_of(source), []).append(source)
    return join_maps(
        [conversion for each, files in by_format.items() for conversion in _conversions(each, files, choices)]
    )


def ignored_choices(
    sources: Sequence[SourceText], choices: Choices, given: SourceFormat | None = None
) -> Iterator[str]:
    """Yield a sentence for each choice that has no effect on the files. Raises as `convert_files` does."""
    formats = {given or format_of(source) for source in sources}
    if not formats & _CLUSTERS and (choices.portals or choices.nodes):
        yield "--portal and --node are for files of Pacemaker and LINSTOR Gateway"
    if SourceFormat.CEPH_ISCSI not in formats and choices.krbd:
        yield "--krbd is for files of ceph-iscsi"
    for source in sources:
        if source.node and (given or format_of(source)) is not SourceFormat.SAVECONFIG:
            yield f"{source.node}={source.name}: a node is named so for a saveconfig.json alone"
    made = convert_files(sources, choices, given)
    for name in choices.sizes:
        others = {other: size for other, size in choices.sizes.items() if other != name}
        if convert_files(sources, replace(choices, sizes=others), given) == made:
            yield f"--size {name}: the files have no Lun of this name that needs a size"
    if choices.initiators and convert_files(sources, replace(choices, initiators=()), given) == made:
        yield "--initiator is for targets that admit every initiator, and the files have none"


def _conversions(
    given: SourceFormat, sources: Sequence[SourceText], choices: Choices
) -> Iterator[tuple[str, Conversion]]:
    match given:
        case SourceFormat.CEPH_ISCSI:
            yield from ((source.name, convert_ceph_iscsi(source, choices)) for source in sources)
        case SourceFormat.MAP:
            yield from ((source.name, convert_draft(source)) for source in sources)
        case SourceFormat.SAVECONFIG:
            names = map("node{}".format, count(1))
            for source, name in zip(sources, names, strict=False):
                yield source.name, convert_saveconfig(source, source.node or name)
        case SourceFormat.PACEMAKER | SourceFormat.LINSTOR_GATEWAY:
            yield sources[0].name, convert_resources(_resources(given, sources), choices)
        case _:
            assert_never(given)


def _resources(given: SourceFormat, sources: Sequence[SourceText]) -> ClusterResources:
    if given is SourceFormat.LINSTOR_GATEWAY:
        return ClusterResources(
            tuple(each for source in sources for each in read_reactor(source.text, source.name))
        )
    parts = [_pacemaker(source) for source in sources]
    return ClusterResources(
        tuple(each for part in parts for each in part.primitives),
        tuple(dict.fromkeys(node for part in parts for node in part.nodes)),
    )


def _pacemaker(source: SourceText) -> ClusterResources:
    """Return the resources of a file that has a CIB, what crm or pcs print, or their commands."""
    if source.text.lstrip().startswith("<"):
        return read_cib(source.text, source.name)
    if _CRM.search(source.text):
        return read_crm(source.text, source.name)
    reader = read_pcs if _PCS.search(source.text) else read_commands
    return reader(source.text, source.name)


def open_problems(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Return the rules that a converted map breaks, once it has passwords and what a commit fills in."""
    return rules.check_map(filled_offline(lunmap))
