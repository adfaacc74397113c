"""Fixtures for tests in the lab, and the logs of what fails.

`lab` is a lab for one test; `new_lab` makes further ones or one for a whole module (`with new_lab() as lab`).
When a test fails, the logs of every open lab are copied to build/lab-artifacts/TEST before anything is torn
down.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from lab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager
_OPEN = pytest.StashKey["list[Lab]"]()


class NewLab(Protocol):
    """Makes a lab, with the arguments of `Lab`."""

    def __call__(self, **options: Any) -> AbstractContextManager[Lab]:
        """Return a context with a lab whose logs are kept if a test fails in it."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Make the list of open labs."""
    config.stash[_OPEN] = []


@pytest.fixture(scope="session")
def new_lab(pytestconfig: pytest.Config) -> NewLab:
    """Return the maker of labs."""

    @contextmanager
    def make(**options: Any) -> Iterator[Lab]:
        opened = pytestconfig.stash[_OPEN]
        with Lab(**options) as lab:
            opened.append(lab)
            try:
                yield lab
            finally:
                opened.remove(lab)

    return make


@pytest.fixture
def lab(new_lab: NewLab) -> Iterator[Lab]:
    """Return a lab of this test's own."""
    with new_lab() as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Save the logs of all open labs as soon as a test or its set-up has failed."""
    report = yield
    if report.failed:
        name = re.sub(r"[^\w.-]+", "_", item.nodeid)
        opened = item.config.stash[_OPEN]
        for number, lab in enumerate(opened):
            where = item.config.rootpath / "build" / "lab-artifacts" / name / str(number)
            lab.save_artifacts(where)
            report.sections.append(("lab", f"logs of the lab's machines and servers: {where}"))
    return report
