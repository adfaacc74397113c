"""Pacemaker's CIB (`cibadmin --query`, cib.xml) as resources. Pure."""

from xml.parsers import expat

from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import NotConvertibleError


def read_cib(text: str, name: str) -> ClusterResources:
    """Return the primitives and nodes of a CIB. Raises NotConvertibleError.

    A document type is refused: a CIB has none, and it could define entities that expand without end.
    """
    reader = _Reader(name)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = lambda tag, given: reader.start(tag, given, parser.CurrentLineNumber)
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003 - the parser takes it by place only
    except expat.ExpatError as error:
        raise NotConvertibleError(f"{name} is not XML: {error}") from None
    return ClusterResources(tuple(reader.primitives), tuple(reader.nodes))


class _Reader:
    """The state of the parser: the primitive that is open, and whether its parameters are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[str] = []
        self.primitives: list[ClusterResource] = []
        self._path: list[str] = []
        self._parameters: dict[str, str] = {}

    def refuse(self, *_: object) -> None:
        """Refuse a document type."""
        raise NotConvertibleError(f"{self.name} has a document type, which a CIB has not")

    def start(self, tag: str, given: dict[str, str], line: int) -> None:
        """Begin an element."""
        if tag == "node" and self._path[-1:] == ["nodes"]:
            self.nodes.append(given.get("uname", ""))
        elif tag == "primitive":
            self._parameters = {}
            self.primitives.append(
                ClusterResource(
                    given.get("id", ""),
                    given.get("type") or f"@{given.get('template', '')}",
                    self._parameters,
                    f"{self.name}:{line}",
                )
            )
        elif tag == "nvpair" and self._path[-2:] == ["primitive", "instance_attributes"]:
            self._parameters[given.get("name", "")] = given.get("value", "")
        self._path.append(tag)

    def end(self, _tag: str) -> None:
        """End an element."""
        self._path.pop()
