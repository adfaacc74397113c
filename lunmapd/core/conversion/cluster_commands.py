"""Commands of pcs and crm as resources: a script, or `pcs resource config --output-format cmd`. Pure."""

import re
from collections.abc import Iterator, Sequence

from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.crm_text import crm_primitive, parameter_pairs, statements

COMMAND = re.compile(
    r"^[ \t]*(?:sudo[ \t]+)?"
    r"(?:pcs[ \t](?:.*[ \t])?resource[ \t]+create|crm[ \t](?:.*[ \t])?configure[ \t]+primitive)[ \t]",
    re.MULTILINE,
)
# What may follow the parameters (the synopsis of `resource create` in pcs(8)).
_ENDS = {"op", "meta", "clone", "promotable", "master", "group", "bundle"}


def read_commands(text: str, name: str) -> ClusterResources:
    """Return the primitives that commands create; they name no nodes. Raises NotConvertibleError.

    Variables of a shell are not replaced: the rules of a map refuse what they leave.
    """
    found = statements(text, name, wanted=COMMAND)
    return ClusterResources(tuple(_resource(words, f"{name}:{line}") for line, words in found))


def _resource(words: Sequence[str], place: str) -> ClusterResource:
    verb = next(position for position, word in enumerate(words) if word in {"create", "primitive"})
    resource, agent, *rest = (*(word for word in words[verb + 1 :] if not word.startswith("-")), "", "")
    if words[verb] == "primitive":
        return crm_primitive(resource, agent, rest, place)
    given = dict(parameter_pairs(_parameters(rest)))
    return ClusterResource(resource, agent.rpartition(":")[2], given, place)


def _parameters(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word in _ENDS:
            return
        yield word
