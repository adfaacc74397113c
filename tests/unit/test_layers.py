"""The runner of the layers, on small layers of its own."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from layers import LAYERS, Layer, Outcome, chosen, longest_first, run, run_again, total

ONCE = """
from pathlib import Path

def test_passes_the_second_time():
    seen = Path("seen")
    known = seen.exists()
    seen.touch()
    assert known, "never seen"

def test_passes():
    pass
"""
NEVER = """
def test_never_passes():
    assert 1 == 2
"""
ENDLESS = """
import signal

def test_does_not_end():
    signal.pause()
"""
SKIPPED = """
import pytest

@pytest.mark.skip(reason="not here")
def test_is_skipped():
    pass
"""


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layer:
    """Give a layer without tests, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Layer("small", "nothing", str(tmp_path), pace=1)


def write(layer: Layer, files: Mapping[str, int]) -> None:
    """Write files of so many bytes."""
    for file, size in files.items():
        place = Path(layer.path, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("#" * size)


def both(layer: Layer, *texts: str) -> tuple[Outcome, Outcome]:
    """Write tests and run them, and then once more what failed."""
    for number, text in enumerate(texts):
        (Path(layer.path) / f"test_{number}.py").write_text(text)
    first = total(layer, map(run, layer.parts()))
    return first, run_again(first)


def test_what_passes_alone_is_told_of_and_no_failure(layer: Layer) -> None:
    """A test that fails once is named with its error as unsteady, counted once, and the layer is good."""
    first, found = both(layer, ONCE)
    assert (first.passed, first.failed, first.good) == (1, 1, False)
    assert (found.passed, found.failed, found.good, found.failures) == (2, 0, True, ())
    (unsteady,) = found.unsteady
    assert unsteady.test == "test_0::test_passes_the_second_time"
    assert "AssertionError: never seen" in unsteady.lines[0]


def test_what_fails_again_fails(layer: Layer) -> None:
    """Beside one that passes alone, a test that fails each time is a failure with its error and its place.

    The parts count together.
    """
    _, found = both(replace(layer, divided=True), ONCE, NEVER)
    assert (found.passed, found.failed, found.good, len(found.unsteady)) == (2, 1, False, 1)
    (failure,) = found.failures
    told = [" ".join(line.split()) for line in str(failure).splitlines()]
    assert told == ["test_1::test_never_passes", "E assert 1 == 2", "test_1.py:3: AssertionError"]


def test_many_failures_are_not_run_again(layer: Layer) -> None:
    """Many failures have no lack of time as their cause, so the first run counts."""
    first, found = both(layer, *4 * (NEVER,))
    assert (first.failed, found) == (4, first)


def test_a_skipped_test_is_not_made_good(layer: Layer) -> None:
    """If a test was skipped nothing is run again: it counts as failed, and is named."""
    first, found = both(layer, ONCE, SKIPPED)
    assert (first.failed, first.skipped, found) == (1, 1, first)
    assert "test_1::test_is_skipped" in [failure.test for failure in found.failures]


def test_a_layer_that_does_not_get_to_its_tests_fails(layer: Layer) -> None:
    """A module that can't be imported is a failure, also when it is tried again."""
    _, found = both(layer, ONCE, "import nothing_of_that_name")
    assert not found.good


def test_a_part_that_does_not_end_is_ended(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failure, which names the limit."""
    monkeypatch.setattr("layers._LONGEST", 1)
    first, _ = both(layer, ENDLESS)
    assert not first.good
    assert str(first.failures[0]).endswith("it did not end in 1 s")


def test_a_divided_layer_has_a_part_for_each_module_and_folder(layer: Layer) -> None:
    """Other files are no parts, nor are folders without tests."""
    write(layer, {"test_a.py": 2, "helper.py": 9, "deep/er/test_b.py": 1, "none/helper.py": 9})
    assert [part.name for part in layer.parts()] == ["small"]
    assert [part.name for part in replace(layer, divided=True).parts()] == ["small-deep", "small-test_a"]


def test_a_layer_can_be_divided_into_a_few_parts_of_the_same_size(layer: Layer) -> None:
    """Each module and folder is in one of them."""
    write(layer, {"test_a.py": 5, "test_b.py": 4, "deep/test_c.py": 3, "test_d.py": 2, "helper.py": 9})
    parts = replace(layer, shares=2).parts()
    assert {part.name for part in parts} == {"small-1", "small-2"}
    assert {frozenset(place.name for place in part.places) for part in parts} == {
        frozenset({"test_a.py", "test_d.py"}),
        frozenset({"test_b.py", "deep"}),
    }


def test_the_parts_that_take_longest_are_started_first(layer: Layer) -> None:
    """A part takes the longer the more text its tests have, and the slower its layer is."""
    write(layer, {"test_a.py": 2, "deep/test_b.py": 1, "deep/er/test_c.py": 2})
    quick, slow = replace(layer, divided=True, pace=4), replace(layer, name="slow", pace=3)
    parts = longest_first([*quick.parts(), *slow.parts()])
    assert [part.name for part in parts] == ["slow", "small-deep", "small-test_a"]


def test_each_module_of_tests_is_in_a_part() -> None:
    """The parts of a layer run all tests that the whole layer has."""
    for layer in LAYERS:
        modules = set(Path(layer.path).rglob("test_*.py"))
        places = [place for part in layer.parts() for place in part.places]
        assert modules
        assert {
            module for module in modules if any(module.is_relative_to(place) for place in places)
        } == modules


def test_chosen_layers_run_in_the_order_of_all() -> None:
    """Names choose layers and nothing else; their order is that of the whole run."""
    assert [layer.name for layer in chosen(["integration", "unit"])] == ["unit", "integration"]
    assert chosen([layer.name for layer in LAYERS]) == list(LAYERS)


def test_a_fast_run_leaves_out_chosen_layers_that_need_the_lab() -> None:
    """A layer that is all in the lab has nothing to run without it; the fake's half of the contract has."""
    names = [layer.name for layer in LAYERS]
    assert [layer.name for layer in chosen(names, fast=True)] == ["unit", "property", "contract"]
