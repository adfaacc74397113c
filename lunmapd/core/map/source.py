"""YAML text as plain values with the line of each.

A plain text is read by libyaml, and again for its lines when one is asked for: that of a problem. Any other
is parsed to PyYAML's nodes, which show duplicate keys; `yaml.safe_load` would silently keep the last of two
Luns with one name.
"""

from collections.abc import Iterable
from typing import Any

import yaml

from lunmapd.core.base.errors import InvalidInputError, Place, Problem
from lunmapd.core.base.plain_values import FormProblem, related
from lunmapd.core.map.plain_text import NotPlainError, lines_of, read_plain

_TAB = repr("\t")
# Each value takes at least one character of the text, unless it is read by an alias.
_VALUES_PER_CHARACTER = 10
_MIN_VALUES = 100_000


def line_of(problem: Problem) -> int:
    """Return the line of a problem whose source is `file:line`."""
    return int(problem.source.rpartition(":")[2])


class YamlSource:
    """A YAML text as plain values, with the line of each place.

    `value` is a dict, list, str or None. `problems` are those of the `text` itself, such as duplicate keys;
    `unusable` are the places of values for which no further problem is reported.
    """

    def __init__(self, text: str, name: str) -> None:
        """Parse `text` of the file `name`. Raises InvalidInputError for a text that is not YAML."""
        self.name, self.text = name, text
        self.problems: list[Problem] = []
        self.unusable: list[Place] = []
        self._lines: dict[Place, int] = {}
        self._limit = self._left = _MIN_VALUES + _VALUES_PER_CHARACTER * len(text)
        try:
            self.value = read_plain(text)
        except NotPlainError:
            self.value = self._compose()

    def _compose(self) -> Any:
        """Parse the text with its lines, and return its value. Raises InvalidInputError."""
        try:
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
            if root is None:
                self._lines[()] = 1
                return None
            return self._read(root, (), ())
        except yaml.YAMLError as error:
            raise InvalidInputError([self._syntax(error, self.text)]) from None
        except (ValueError, OverflowError) as error:
            # PyYAML hands escapes such as "\\UFFFFFFFF" on to chr().
            what = f"not valid YAML: an escape stands for no character: {error}"
            raise InvalidInputError([Problem((), what, self.name)]) from None
        except RecursionError:
            raise InvalidInputError([Problem((), "nested too deeply", self.name)]) from None

    def problem(self, place: Place, message: str) -> Problem:
        """Return a problem with the line of `place`, or of the nearest place around it."""
        if not self._lines:
            self._lines = lines_of(self.text)
        near = place
        while near and near not in self._lines:
            near = near[:-1]
        return Problem(place, message, f"{self.name}:{self._lines.get(near, 1)}")

    def with_form(self, form_problems: Iterable[FormProblem]) -> list[Problem]:
        """Return the problems of the text and the given ones of its values, in the order of their lines."""
        of_values = (
            self.problem(one.place, one.message)
            for one in form_problems
            if not any(related(one.about, place) for place in self.unusable)
        )
        return sorted((*self.problems, *of_values), key=line_of)

    def _refuse(self, place: Place, message: str) -> None:
        self.problems.append(self.problem(place, message))
        self.unusable.append(place)

    def _syntax(self, error: yaml.YAMLError, text: str) -> Problem:
        if isinstance(error, yaml.reader.ReaderError):
            line = text.count("\n", 0, error.position) + 1
            what = f"no place for the character U+{error.character:04X}"
        else:
            assert isinstance(error, yaml.MarkedYAMLError), "compose() raises no other"
            assert error.problem_mark is not None, "compose() knows where it is"
            line = error.problem_mark.line + 1
            what = ", ".join(filter(None, (error.context, error.problem)))
        hint = "; indent with spaces" if _TAB in what else ""
        return Problem((), f"not valid YAML: {what}{hint}", f"{self.name}:{line}")

    def _read(self, node: yaml.Node, place: Place, around: tuple[yaml.Node, ...]) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0:
            what = f"its aliases stand for more than {self._limit} values: write fewer of them"
            raise InvalidInputError([self.problem(place, what)])
        if node in around:
            self._refuse(place, "an alias that contains itself")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, place, (*around, node))
        if isinstance(node, yaml.SequenceNode):
            return [
                self._read(item, (*place, index), (*around, node)) for index, item in enumerate(node.value)
            ]
        return self._read_scalar(node, place)

    def _read_scalar(self, node: yaml.Node, place: Place) -> str | None:
        """Return a scalar as its text, None for an empty one; the type of the field decides its meaning.

        YAML's own types would turn an unquoted serial of digits into a number, and 12e4... into infinity.
        """
        if node.tag == "tag:yaml.org,2002:null":
            return None
        text = str(node.value)
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(place, "half a character: UTF-8 has no surrogates")
            return None
        return text

    def _read_mapping(
        self, node: yaml.MappingNode, place: Place, around: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner = (*place, key)
            if key in values:
                first = self._lines[inner]
                line = key_node.start_mark.line + 1
                self.problems.append(
                    Problem(inner, f"is already given in line {first}", f"{self.name}:{line}")
                )
                continue
            self._lines[inner] = key_node.start_mark.line + 1
            values[key] = self._read(value_node, inner, around)
        return values
