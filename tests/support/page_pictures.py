"""The pictures of pages in docs/pictures: each has a digest of the HTML that it shows."""

import zlib
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from lunmapd.service.ctl.page.blocks import Query
from lunmapd.service.ctl.page.render import render_page
from support.page_requests import website
from support.reading import example

_SIGNATURE, _HEADER = 8, 25  # bytes of a PNG before the first chunk that may be a text (PNG, 5.2 and 11.2.2)
_KEYWORD = b"Source\0"


class PagePicture(NamedTuple):
    """A picture: the parts of its address, the width and height of the window, the colour of the ground."""

    name: str
    steps: tuple[str, ...]
    size: tuple[int, int]
    ground: tuple[int, int, int]

    @property
    def is_dark(self) -> bool:
        """Whether the reader prefers dark colours."""
        return self.ground < (128, 128, 128)

    def digest(self) -> str:
        """Return the SHA-256 of the page's HTML."""
        answer = website(example()).answer(self.steps, Query())
        return sha256(render_page(answer.page, answer.origin, Query(), self.steps).encode()).hexdigest()


PAGE_PICTURES = (
    PagePicture("page-overview", (), (1000, 1340), (255, 255, 255)),
    PagePicture("page-lun-dark", ("luns", "logs"), (500, 900), (0x14, 0x17, 0x1A)),
)


def stamp(path: Path, digest: str) -> None:
    """Write a digest into a PNG, as a chunk of text (PNG, 11.3.3.2)."""
    data, body = path.read_bytes(), b"tEXt" + _KEYWORD + digest.encode()
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    at = _SIGNATURE + _HEADER
    path.write_bytes(data[:at] + chunk + data[at:])


def has_stamp(path: Path, digest: str) -> bool:
    """Return whether a PNG has this digest."""
    return b"tEXt" + _KEYWORD + digest.encode() in path.read_bytes()
