"""The laws: each compares what a node offers before and after a step or a pass with what the maps give.

A law that does not hold raises ViolationError.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from fuzz.documents import NODE
from fuzz.hosts import Hosts
from fuzz.oracle import Grant, Map, expected
from fuzz.view import FOREIGN, Listing, View
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.outcome import StepOutcome

OTHER_DATA = "other-data"
Difference = tuple[str, ...]
_ACCESS = re.compile(r"/(enable|rtpi|attrib/\w+|param/AuthMethod)$")


class ViolationError(AssertionError):
    """A law does not hold."""


class Before(NamedTuple):
    """What counts for a pass.

    `view` is the view before it, `granted` are the LUNs that the map gives, in any of its versions, and
    `allows` is the class of disruption that an override allows. `authentications` are those of its targets.
    """

    view: View
    granted: frozenset[Grant]
    allows: str
    authentications: frozenset[tuple[str, str]] = frozenset()

    def grants(self, key: tuple[str, ...], text: str) -> bool:
        """Return whether the LUN at `key` of a view was there before, or the map gives it."""
        _, iqn, _, initiator, number = key
        serial, access = text.rsplit(" ", 1)
        given = {each.access for each in self.granted if each[:4] == (iqn, initiator, number, serial)}
        return not given.isdisjoint({access, "rw"}) or self.view.get(key) in {text, f"{serial} rw"}


def check_step(before: Before, outcome: StepOutcome, view: View, hosts: Hosts) -> None:
    """Check after a step that nobody reaches more than before the pass, but for what the map gives."""
    if outcome.failure is not None and outcome.failure.reason == Reason.INTERNAL:
        raise ViolationError(f"unexpected: {outcome.step}: {outcome.failure}")
    for key, text in view.items():
        was = before.view.get(key, "")
        if was == text:
            continue
        if key[0] == "lun":
            _check_lun(before, outcome, key, text)
            _check_other_data(before, outcome, key, text, hosts)
        if key[0] == "tpg" and ", open," in text and ", open," not in was:
            raise ViolationError(f"{outcome.step}: {key} takes everybody: {text}")
        if key[0] == "unmarked" or (_is_enabled(text) and not _is_enabled(was)):
            _check_enabled(before, outcome, key, text)
        if key[0] == "acl" and "own authentication" in text:
            raise ViolationError(f"{outcome.step}: {key} has a rule of its own: {text}")


def _is_enabled(text: str) -> bool:
    return text.startswith("enabled as ")


def _check_enabled(before: Before, outcome: StepOutcome, key: tuple[str, ...], text: str) -> None:
    """Check that a TPG is enabled with its mark, and with the authentication that its target asks for."""
    asked = {f"authentication {asks}" for iqn, asks in before.authentications if iqn == key[1]}
    if asked.isdisjoint(text.split(", ")):
        raise ViolationError(f"{outcome.step}: {key} was enabled so: {text}")


def _check_lun(before: Before, outcome: StepOutcome, key: tuple[str, ...], text: str) -> None:
    if not before.grants(key, text):
        raise ViolationError(f"{outcome.step}: {key} leads to {text!r}: it was not so, and no map gives that")


def _check_other_data(
    before: Before, outcome: StepOutcome, key: tuple[str, ...], text: str, hosts: Hosts
) -> None:
    """Check that a number leads to no other Lun than the one that a host has a device for.

    An override may allow it.
    """
    serial = text.split(" ", maxsplit=1)[0]
    if before.view.get(key, "").startswith(serial):
        return
    held = hosts.led_elsewhere(key, serial)
    if held is not None and before.allows != OTHER_DATA:
        raise ViolationError(f"{outcome.step}: {key} leads to {serial}, a host has a device for {held}")
    if held is not None:
        hosts.forget(key)


def check_unchanged(before: Listing, after: Listing, *, is_held: bool = False) -> None:
    """Check that a pass that ends in a condition, or has nothing to do, changes nothing.

    A pass that is held opens and closes TPGs as isolation asks for, and closes access.
    """
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if moved := sorted(path for path in paths if not (is_held and _ACCESS.search(path))):
        raise ViolationError(f"a pass that makes no step changed {moved}")


def check_opened(before: View, after: View, offered: AbstractSet[tuple[str, str]]) -> None:
    """Check that a pass that is held enables no TPG but those of the last map that was followed."""
    opened = {
        key[1:3]
        for key, text in after.items()
        if key[0] == "tpg" and _is_enabled(text) and not _is_enabled(before.get(key, ""))
    }
    if opened - offered:
        raise ViolationError(f"a held pass enabled {sorted(opened - offered)}, which the last map did not")


def check_closed(view: View, failed: AbstractSet[lio_objects.Key]) -> None:
    """Check that a full pass leaves no TPG open to everybody, and no ACL with a rule of its own.

    Objects with a step that `failed` may be so.
    """
    names = {tuple(map(str, key)) for key in failed}
    for key, text in view.items():
        is_open = key[0] == "tpg" and ", open," in text
        if (is_open or (key[0] == "acl" and "own authentication" in text)) and key not in names:
            raise ViolationError(f"a full pass left {key} so: {text}")


def check_reported(result: PassResult, differences: list[Difference], *, is_isolated: bool) -> None:
    """Check that a full pass reports the truth: each difference from the oracle has a failure.

    Isolation is no failure of a TPG.
    """
    if result.converged and differences:
        raise ViolationError(f"reported as converged, but {differences}")
    names = {str(part) for key in result.failures for part in key}
    names |= {str(part) for step in result.left for part in lio_objects.key_of(step.item)}
    for difference in differences:
        is_excused = difference[0] == "tpg" and is_isolated
        if not is_excused and names.isdisjoint(difference[:2]):
            raise ViolationError(f"differs without a failure: {difference}; failures {dict(result.failures)}")


def check_expected(result: PassResult) -> None:
    """Check that no failure comes from an error that lunmapd does not expect."""
    for key, failure in result.failures.items():
        if failure.reason == Reason.INTERNAL:
            raise ViolationError(f"unexpected: {key}: {failure}")


def check_removals(before: View, after: View, limits: RemovalLimits) -> None:
    """Check that a pass without a confirmation does not take much from the hosts at once."""
    there = {key for key in before if key[0] == "lun"}
    gone = there - after.keys()
    if len(gone) > max(limits.share * len(there), limits.minimum):
        raise ViolationError(f"{len(gone)} of {len(there)} LUNs were removed without a confirmation")


def check_unreadable(paths: set[str], before: View, after: View) -> None:
    """Check that the disk of a Lun stays as long as the document of the Lun can't be read.

    `paths` are the documents that can't be read.
    """
    for path in sorted(paths):
        section, _, name = path.partition("/")
        key = ("disk", name)
        if section == "luns" and key in before and after.get(key) != before[key]:
            raise ViolationError(f"{path} can't be read, but {key} became {after.get(key)!r}")


def check_unknown(lunmap: Map) -> None:
    """Check that no target in the tree names the node that does not find its own document."""
    for path, document in lunmap.items():
        if path.startswith("targets/") and NODE in document.get("nodes", ()):
            raise ViolationError(f"the node is unknown, but {path} names it")


def check_foreign(before: Listing, after: Listing) -> None:
    """Check that the objects of other tools stay byte for byte."""
    if before != after:
        raise ViolationError(f"the objects of another tool changed: {differing(before, after)}")


def differences_of(lunmap: Map, view: View) -> list[Difference]:
    """Return each fact that is not as the oracle says: its key, the text wanted, the text found."""
    return differing(expected(lunmap, NODE, frozenset({FOREIGN})), view)


def differing(one: Mapping[Any, str], other: Mapping[Any, str]) -> list[Difference]:
    """Return the keys with different values, each with both values."""
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return [
        (*(key if isinstance(key, tuple) else (key,)), f"want {one.get(key)!r}", f"found {other.get(key)!r}")
        for key in keys
    ]
