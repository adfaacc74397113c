"""HTML as a tree of elements, by the parser of the standard library, which corrects nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOID = {"meta", "link", "input", "br"}


@dataclass
class Element:
    """An element with its attributes, and its texts and elements in their order."""

    tag: str
    attributes: dict[str, str]
    content: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text within it."""
        return "".join(each if isinstance(each, str) else each.text for each in self.content)

    def all(self, *tags: str) -> Iterator[Element]:
        """Yield the elements below it with one of these tags, any without; in their order."""
        for each in self.content:
            if isinstance(each, Element):
                if not tags or each.tag in tags:
                    yield each
                yield from each.all(*tags)

    def one(self, tag: str) -> Element:
        """Return the only element with this tag."""
        (found,) = self.all(tag)
        return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def parse_html(text: str) -> Element:
    """Return the document; each element that is opened must be closed in its place."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    (document,) = parser.open
    return document


def cells(table: Element) -> list[list[str]]:
    """Return the texts of a table, the heading first."""
    return [[cell.text for cell in row.all("th", "td")] for row in table.all("tr")]


def table_of(document: Element, caption: str) -> Element:
    """Return the table with a caption."""
    (found,) = [table for table in document.all("table") if table.one("caption").text == caption]
    return found
