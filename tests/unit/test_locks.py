"""The locks of requirements/ and the ranges of pyproject.toml and *.in, which `make lock` keeps together."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TREE = Path(__file__).parents[2]
LOCKS = TREE / "requirements"
NAMES = ("build", "dev", "runtime", "rtslib-oldest", "rtslib-newest", "pyroute2-oldest", "uv")
REMEDY = "run `make lock KEEP=1` and commit requirements/"


class Pin(NamedTuple):
    """One package of a lock, with its hashes."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version, if it is pinned to one."""
        (only,) = self.requirement.specifier
        assert only.operator == "=="
        return only.version


def entries(name: str) -> Iterator[str]:
    """Return the entries of a lock, each in one line."""
    text = (LOCKS / f"{name}.txt").read_text().replace("\\\n", " ")
    return (line for line in text.splitlines() if line and not line.lstrip().startswith("#"))


def pins(name: str) -> Mapping[str, list[Pin]]:
    """Return the pins of a lock by the name of the package; one with markers may have several."""
    found: dict[str, list[Pin]] = {}
    for entry in entries(name):
        wanted, *hashes = re.split(r"\s+--hash=", entry.strip())
        pin = Pin(Requirement(wanted), tuple(hashes))
        found.setdefault(canonicalize_name(pin.requirement.name), []).append(pin)
    return found


def project() -> Mapping[str, list[str]]:
    """Return the requirements of pyproject.toml: the package as "", its extras, and its build as "build"."""
    text = tomllib.loads((TREE / "pyproject.toml").read_text())
    extras: Mapping[str, list[str]] = text["project"]["optional-dependencies"]
    return {"": text["project"]["dependencies"], **extras, "build": text["build-system"]["requires"]}


def missing(wanted: list[str], lock: Mapping[str, list[Pin]]) -> list[str]:
    """Return those of the requirements that the lock does not satisfy; the project itself is not in it."""
    needs = [need for need in map(Requirement, wanted) if need.name != "lunmapd"]
    return [str(need) for need in needs if not satisfied(need, lock.get(canonicalize_name(need.name), []))]


def satisfied(need: Requirement, found: list[Pin]) -> bool:
    """Return whether every pin of a package, and at least one, is in the range."""
    return bool(found) and all(need.specifier.contains(pin.version, prereleases=True) for pin in found)


def test_every_lock_is_checked() -> None:
    """No lock is forgotten here."""
    assert {path.stem for path in LOCKS.glob("*.txt")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_one_version_and_hashes_for_each_package(name: str) -> None:
    """Each entry is NAME==VERSION with at least one SHA-256; none is an option or the address of an index."""
    found = [pin for each in pins(name).values() for pin in each]
    assert found
    for pin in found:
        assert pin.version, REMEDY
        assert pin.requirement.url is None, REMEDY
        assert pin.hashes, f"{pin.requirement} has no hash: {REMEDY}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in pin.hashes), REMEDY


@pytest.mark.parametrize(
    ("of", "name"), [("", "runtime"), ("build", "build"), *((e, "dev") for e in project())]
)
def test_a_lock_satisfies_the_ranges_of_the_project(of: str, name: str) -> None:
    """The tested versions are within the ranges that users get, for the package, its build and each extra."""
    unsatisfied = missing(project()[of], pins(name))
    assert not unsatisfied, f"requirements/{name}.txt does not satisfy {unsatisfied}: {REMEDY}"


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.in")), ids=lambda path: path.stem)
def test_a_lock_satisfies_its_own_ranges(path: Path) -> None:
    """The same holds for what only the workshop needs: build backends, rtslib releases and uv."""
    wanted = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    unsatisfied = missing([line for line in wanted if line], pins(path.stem))
    assert not unsatisfied, f"requirements/{path.stem}.txt does not satisfy {unsatisfied}: {REMEDY}"


@pytest.mark.parametrize("name", ["build", "runtime", "rtslib-newest"])
def test_locks_agree(name: str) -> None:
    """A package in several locks has one version: that of dev.txt."""
    dev = pins("dev")
    for package, found in pins(name).items():
        versions = [pin.version for pin in found]
        assert versions == [pin.version for pin in dev[package]], f"{package}: {REMEDY}"


def test_the_oldest_tested_rtslib_is_the_lower_bound() -> None:
    """The contract tests run with the oldest release that pyproject.toml allows."""
    (need,) = (need for need in map(Requirement, project()[""]) if need.name == "rtslib-fb")
    (pin,) = pins("rtslib-oldest")["rtslib-fb"]
    assert str(need.specifier) == f">={pin.version}"
