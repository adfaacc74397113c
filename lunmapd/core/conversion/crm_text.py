"""The text of `crm configure show` and of `pcs config` as resources. Pure."""

import re
import shlex
from collections.abc import Iterable, Iterator

from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import NotConvertibleError

_USE_CIB = "convert the output of 'cibadmin --query' instead"
_CRM_PARTS = {"params", "meta", "op", "operations", "utilization", "description"}
_PCS_RESOURCE = re.compile(r"\s*Resource: (\S+) \(class=\S+ (?:provider=\S+ )?type=(\S+)\)")
# pcs quotes a value with a space or an equals sign only, and escapes nothing but its own quotation mark
# (quote() in pcs/common/str_tools.py).
_PCS_PAIR = re.compile(r"""(?<!\S)([^\s=]+)=(?:"(.*?)(?<!\\)"|'(.*?)'|(\S*))(?!\S)""")
_PCS_HEAD = re.compile(r"\s*(?:Resource|Group|Clone|Master|Bundle): ")
_PCS_NODES = re.compile(r"\s*(?:Pacemaker|Corosync) Nodes:(.*)")


def read_crm(text: str, name: str) -> ClusterResources:
    """Return the primitives and nodes of `crm configure show`. Raises NotConvertibleError."""
    nodes, primitives = [], []
    for line, words in statements(text, name):
        match words:
            case ["node", *rest]:
                nodes.append(next((word for word in rest if not word.endswith(":") and word[0] != "$"), ""))
            case ["primitive", resource, agent, *rest]:
                primitives.append(crm_primitive(resource, agent, rest, f"{name}:{line}"))
            case ["xml", *rest] if any("<primitive" in word for word in rest):
                raise NotConvertibleError(f"{name}:{line}: this is XML inside the text of crm; {_USE_CIB}")
            case _:
                pass
    return ClusterResources(tuple(primitives), tuple(filter(None, nodes)))


def statements(
    text: str, name: str, wanted: re.Pattern[str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of each statement with its first line; a backslash continues a line.

    With `wanted` only statements that it matches are split. Raises NotConvertibleError.
    """
    begun, start = "", 0
    for line, part in enumerate((*text.splitlines(), ""), start=1):
        start = start if begun else line
        if part.rstrip().endswith("\\"):
            begun += part.rstrip()[:-1] + " "
            continue
        if wanted is None or wanted.match(begun + part):
            yield start, _words(begun + part, f"{name}:{start}")
        begun = ""


def crm_primitive(resource: str, agent: str, rest: Iterable[str], place: str) -> ClusterResource:
    """Return the resource of a statement `primitive`, of which `rest` are the words after the agent."""
    given = dict(parameter_pairs(_crm_parameters(rest)))
    return ClusterResource(resource, agent.rpartition(":")[2], given, place)


def _crm_parameters(words: Iterable[str]) -> Iterator[str]:
    part = "params"
    for word in words:
        if word in _CRM_PARTS:
            part = word
        elif part == "params":
            yield word


def read_pcs(text: str, name: str) -> ClusterResources:
    """Return the primitives and nodes of `pcs config` or `pcs resource config`. Raises NotConvertibleError.

    Up to pcs 0.11 the parameters follow `Attributes:` in one line, since then each has a line of its own.
    """
    primitives: list[ClusterResource] = []
    given: dict[str, str] = {}
    inside = -1
    for number, line in enumerate(text.splitlines(), start=1):
        depth = len(line) - len(line.lstrip())
        if found := _PCS_RESOURCE.match(line):
            given = {}
            primitives.append(ClusterResource(found[1], found[2], given, f"{name}:{number}"))
            inside = -1
        elif _PCS_HEAD.match(line):
            # The list of location constraints has such a line, too, with the name alone.
            if line.lstrip().startswith("Resource") and "(" in line:
                raise NotConvertibleError(f"{name}:{number}: this resource has no type; {_USE_CIB}")
            given, inside = {}, -1
        elif primitives and line.lstrip().startswith("Attributes:"):
            inside = depth
            given.update(_pcs_pairs(line))
        elif inside >= 0 and depth > inside:
            given.update(_pcs_pairs(line))
        else:
            inside = -1
    return ClusterResources(tuple(primitives), _pcs_nodes(text))


def _pcs_nodes(text: str) -> tuple[str, ...]:
    """Return the names of the nodes, which stand after their heading or indented in the line below it.

    Before a cluster has run, pcs 0.11.5 prints an empty line instead of names.
    """
    nodes: dict[str, None] = {}
    is_below = False
    for line in text.splitlines():
        heading = _PCS_NODES.match(line)
        names = heading[1] if heading else line if is_below and line.startswith(" ") else ""
        nodes.update(dict.fromkeys(names.split()))
        is_below = heading is not None
    return tuple(nodes)


def _pcs_pairs(line: str) -> Iterator[tuple[str, str]]:
    for name, double, single, plain in _PCS_PAIR.findall(line):
        yield name, double.replace('\\"', '"') or single or plain


def _words(text: str, place: str) -> list[str]:
    try:
        return shlex.split(text, comments=text.lstrip().startswith("#"))
    except ValueError as error:
        raise NotConvertibleError(f"{place}: {error}") from None


def parameter_pairs(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the words that have an equals sign."""
    for word in words:
        name, equals, value = word.partition("=")
        if equals and not name.startswith("$"):
            yield name, value
