#!/usr/bin/python3
"""Draw the pictures of the documents: docs/pictures/NAME.svg from each NAME.dot, with Graphviz.

Each SVG has the SHA-256 of its source in a comment, so that a test finds a picture older than its source
without Graphviz, whose output differs from release to release.
"""

import subprocess
from hashlib import sha256
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def stamp(source: bytes) -> str:
    """Return the comment that an SVG drawn from this source has in its second line."""
    return f"<!-- source sha256:{sha256(source).hexdigest()} -->"


def draw(source: bytes) -> str:
    """Return the stamped SVG of Graphviz. Raises CalledProcessError for a source that it can't read."""
    drawn = subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, check=True).stdout.decode()
    declaration, _, rest = drawn.partition("\n")
    return f"{declaration}\n{stamp(source)}\n{rest}"


def main() -> None:
    """Draw every picture anew."""
    for source in sorted(PICTURES.glob("*.dot")):
        source.with_suffix(".svg").write_text(draw(source.read_bytes()))


if __name__ == "__main__":
    main()
