"""The documents link to one another, and their examples are true."""

import re
import runpy
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

import lunmapd
from layers import LAYERS
from lunmapd.client import Lunmap, parse_map
from lunmapd.core.map.fill_in import fill_in
from lunmapd.core.map.rules import check_map, map_warnings

ROOT = Path()
DOCS = ROOT / "docs"
TEXTS = sorted(
    path
    for at in (".", "docs", "docs/adr", "requirements", "tests/lab", "findings")
    for path in (ROOT / at).glob("*.md")
)
README = Path("README.md").read_text()
_LINK = re.compile(r"\]\(([^)\s]+)\)")
stamp = runpy.run_path("packaging/pictures.py")["stamp"]


def prose(path: Path) -> str:
    """Return the text of a document without its blocks of code, which may be indented in a list."""
    return re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield file and anchor (may be empty) of each link of a document to a file of the repository."""
    for link in _LINK.findall(prose(path)):
        if not re.match(r"[a-z]+:", link):
            name, _, anchor = link.partition("#")
            yield (path.parent / name if name else path).resolve().relative_to(ROOT.resolve()), anchor


def anchors(path: Path) -> set[str]:
    """Return the anchors that a forge makes of headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    texts = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_each_link_leads_somewhere(path: Path) -> None:
    """Each relative link names a file of the repository, and a heading of it if it has an anchor."""
    broken = [
        f"{target}#{anchor}"
        for target, anchor in links(path)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


@pytest.mark.parametrize("path", [*TEXTS, *sorted(ROOT.glob("packaging/man/*.md"))], ids=str)
def test_prose_fits_110_columns(path: Path) -> None:
    """Prose is at most 110 columns wide. Rows of tables and single words, as links, may be wider."""
    lines = [line for line in prose(path).splitlines() if not line.lstrip().startswith("|")]
    assert [line for line in lines if len(line) > 110 and len(line.split()) > 1] == []


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_each_file_that_is_named_exists(path: Path) -> None:
    """A path in backquotes, of the repository or of the package below lunmapd/, exists."""
    top = r"(?:lunmapd|tests|packaging|config|docs|requirements)/[\w./-]+"
    rooms = r"(?:core|store|lio|agent|client|service)/[\w./-]+"
    named = [Path(name) for name in re.findall(f"`({top})`", path.read_text())]
    named += [Path("lunmapd") / name for name in re.findall(f"`({rooms})`", path.read_text())]
    assert [str(name) for name in named if not name.exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_each_target_of_make_exists(path: Path) -> None:
    """Each `make` target in a block or in backquotes exists in the Makefile."""
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", path.read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z][a-z-]*):", Path("Makefile").read_text(), re.MULTILINE)
    assert set(named) - set(targets) == set()


@pytest.mark.parametrize(
    ("index", "files"),
    [
        (DOCS / "README.md", sorted(DOCS.glob("*.md"))),
        (DOCS / "architecture.md", sorted(DOCS.glob("adr/*.md"))),
        (ROOT / "README.md", sorted(ROOT.glob("*.md"))),
        (ROOT / "findings/README.md", sorted(ROOT.glob("findings/*"))),
    ],
    ids=["docs", "decisions", "top", "findings"],
)
def test_each_document_is_in_its_index(index: Path, files: list[Path]) -> None:
    """Every document, and every script of findings/, is reached from an index."""
    named = {target for target, _ in links(index)}
    assert len(files) > 2
    assert [str(path) for path in files if path not in named | {index}] == []


@pytest.mark.parametrize("script", sorted(ROOT.glob("findings/*.sh")), ids=lambda script: script.stem)
def test_each_finding_begins_with_what_its_reader_needs(script: Path) -> None:
    """Its first comment has the behaviour, what one expects, what happens, the versions and what to do."""
    shebang, *lines = script.read_text().splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), lines))
    assert shebang == "#!/bin/bash"
    assert re.findall(r"^# ([A-Z][a-z ]+):", "\n".join(comment), re.MULTILINE) == [
        "Expected",
        "Seen",
        "Versions",
        "To do",
    ]
    assert max(map(len, comment)) <= 110


def test_each_document_that_the_package_names_is_in_it() -> None:
    """The journal, the manual and the documents name files of /usr/share/doc/lunmapd that the package has."""
    texts = [*TEXTS, Path("packaging/journal/lunmapd.catalog"), *Path("packaging/man").glob("*.md")]
    named = {
        name
        for text in texts
        for name in re.findall(r"/usr/share/doc/lunmapd/([\w./-]+\w)", text.read_text())
        if not name.startswith("examples")
    }
    installed = Path("packaging/debian/lunmapd.docs").read_text().split()
    assert named
    assert [name for name in named if not Path(name).exists() or name.split("/")[0] not in installed] == []


def test_the_map_of_the_readme_could_be_committed() -> None:
    """It breaks no rule once it has the serials and port ids that a commit fills in, and warns of nothing."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    lunmap, _ = parse_map(text)
    filled = fill_in(lunmap, Lunmap(), lambda: "3f1d6c1e00014f0b9f3e7a51c2d40000")
    assert (check_map(filled), map_warnings(filled)) == ((), ())


def test_the_map_of_the_readme_is_that_of_the_example() -> None:
    """Its volume has the maps and the backing that config/lunmap.yaml gives it, on the same nodes."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    shown, _ = parse_map(text)
    example, _ = parse_map(Path("config/lunmap.yaml").read_text())
    for name, lun in shown.luns.items():
        assert (lun.backing, lun.maps) == (example.luns[name].backing, example.luns[name].maps)
    assert {name: (node.tpg_tag, node.portals) for name, node in shown.nodes.items()} == {
        name: (node.tpg_tag, node.portals) for name, node in example.nodes.items()
    }


@pytest.mark.parametrize("path", ["README.md", "docs/testing.md"])
def test_each_layer_of_tests_is_named(path: str) -> None:
    """The layers of `make test` are in the README and in the table of docs/testing.md."""
    text = Path(path).read_text()
    assert [layer.name for layer in LAYERS if not re.search(rf"\b{layer.name}\b", text)] == []


def test_the_changelog_has_the_version() -> None:
    """The newest release of the changelog, below the unreleased section, is the version of the package."""
    unreleased, newest, *_ = re.findall(r"^## \[(.*?)\]", Path("CHANGELOG.md").read_text(), re.MULTILINE)
    assert (unreleased, newest) == ("Unreleased", lunmapd.__version__)


def test_each_error_of_tls_in_the_table_can_happen() -> None:
    """docs/security.md quotes the messages of the code, where they are the same for every certificate."""
    table = Path("docs/security.md").read_text().partition("| message | cause |\n|---|---|\n")[2]
    quoted = [row.split("|")[1] for row in table.partition("\n\n")[0].splitlines()]
    assert len(quoted) > 5
    sources = "\n".join(path.read_text() for path in sorted(Path("lunmapd/store").rglob("*.py")))
    assert [text for text in quoted if re.split(r"[:(]", text)[0].strip() not in sources] == []


@pytest.mark.parametrize("source", sorted(DOCS.glob("pictures/*.dot")), ids=lambda source: source.name)
def test_each_picture_was_drawn_from_its_source(source: Path) -> None:
    """The SVG beside it has the digest of the source: `make pictures` draws it anew."""
    assert stamp(source.read_bytes()) in source.with_suffix(".svg").read_text().splitlines()


def test_each_picture_is_shown() -> None:
    """Every SVG has a source, and each picture a document that shows it."""
    shown = {target for path in TEXTS for target, _ in links(path)}
    drawings = sorted(DOCS.glob("pictures/*.svg"))
    assert [str(path) for path in drawings if not path.with_suffix(".dot").exists()] == []
    assert [str(path) for path in (*drawings, *DOCS.glob("pictures/*.png")) if path not in shown] == []


def promises() -> list[tuple[str, list[str]]]:
    """Return each promise of docs/architecture.md with the names of its tests."""
    section = Path("docs/architecture.md").read_text().partition("\n## Safety\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    return [(promise.strip(), re.findall(r"`(tests/[^`]+)`", tests)) for promise, tests in rows]


@pytest.mark.parametrize(("promise", "tests"), promises(), ids=lambda value: str(value)[:40])
def test_each_promise_is_held_by_tests_that_exist(promise: str, tests: list[str]) -> None:
    """The table of promises names a test for each, as pytest does: file::function."""
    assert tests, promise
    for test in tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in Path(path).read_text(), test
