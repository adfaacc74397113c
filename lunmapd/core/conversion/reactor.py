"""The files of drbd-reactor that LINSTOR Gateway writes, as resources. Pure.

They are /etc/drbd-reactor.d/linstor-gateway-iscsi-*.toml. An entry of `start` is
`ocf:VENDOR:AGENT NAME PARAMETER=VALUE ...`, quoted as for a shell (pkg/reactor/resourceagent.go). The agents
get `NAME_RESOURCE` as OCF_RESOURCE_INSTANCE (src/systemd.rs of drbd-reactor).
"""

import shlex
import tomllib
from collections.abc import Iterator

from msgspec import Struct, ValidationError, convert

from lunmapd.core.conversion.cluster_resources import ClusterResource
from lunmapd.core.conversion.conversion import NotConvertibleError


class _Promoted(Struct):
    start: list[str] = []


class _Promoter(Struct):
    resources: dict[str, _Promoted] = {}


class _File(Struct):
    promoter: list[_Promoter] = []


def read_reactor(text: str, name: str) -> tuple[ClusterResource, ...]:
    """Return the resources that a file of drbd-reactor starts. Raises NotConvertibleError."""
    try:
        file = convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, ValidationError, RecursionError) as error:
        raise NotConvertibleError(f"{name} is not a configuration of drbd-reactor: {error}") from None
    return tuple(_resources(file, name))


def _resources(file: _File, name: str) -> Iterator[ClusterResource]:
    for promoter in file.promoter:
        for resource, promoted in promoter.resources.items():
            for number, entry in enumerate(promoted.start):
                place = f"{name}: resources.{resource}.start[{number}]"
                if entry.lstrip().startswith("ocf:"):
                    yield _resource(entry, resource, place)


def _resource(entry: str, resource: str, place: str) -> ClusterResource:
    try:
        agent, instance, *words = shlex.split(entry)
    except ValueError:
        raise NotConvertibleError(f"{place} is not 'ocf:VENDOR:AGENT NAME PARAMETER=VALUE ...'") from None
    pairs = (word.partition("=") for word in words)
    given = {key: value for key, _, value in pairs}
    return ClusterResource(instance, agent.rpartition(":")[2], given, place, f"{instance}_{resource}")
