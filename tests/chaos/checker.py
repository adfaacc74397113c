"""The promises of the store and of the nodes that follow it, checked over a recorded history. Pure."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator

from chaos.history import Attempt, FollowerState, History, Outcome, Violation, released, shown, text
from chaos.model import Model
from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.lunmap import Lunmap, initiators_of
from lunmapd.core.history.changes import Revision, patch_map
from lunmapd.core.history.digest import show_digest
from lunmapd.core.map.rules import check_map
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map

Number = tuple[str, str, int]
"""An initiator, a target, and a LUN number."""

Promise = Callable[[History, Model], Iterator[Violation]]


def violations(history: History) -> tuple[Violation, ...]:
    """Check every promise; nothing is returned when all were kept."""
    model = Model(history)
    found = [violation for promise in _PROMISES for violation in promise(history, model)]
    return (*model.violations, *found)


def _linear(history: History, _: Model) -> Iterator[Violation]:
    """Expect the revisions 1 to head's, each once."""
    counted = Counter(revision.revision for revision in history.tree.revisions)
    head = history.tree.head
    expected = set(range(1, head.revision + 1))
    for number in sorted(expected - counted.keys()):
        yield Violation("no gap", f"revision {number} is missing, head is at {head.revision}", (number,))
    for number in sorted(counted.keys() - expected):
        yield Violation("no gap", f"revision {number} is there, head is at {head.revision}", (number,))
    for number in sorted(number for number, times in counted.items() if times > 1):
        yield Violation("each revision once", f"revision {number} is there twice", (number,))


def _head(history: History, _: Model) -> Iterator[Violation]:
    head = history.tree.head
    last = {revision.revision: revision.digest for revision in history.tree.revisions}.get(head.revision)
    if last is not None and last != head.digest:
        what = f"head says {head.digest}, revision {head.revision} says {last}"
        yield Violation("head has the digest of its revision", what, (head.revision,))


def _objects(history: History, model: Model) -> Iterator[Violation]:
    """Expect the objects in the tree to be the result of the revisions."""
    objects = history.tree.objects
    for path in sorted(objects.keys() | model.state.keys()):
        if objects.get(path) != model.state.get(path):
            what = (
                f"{path} is {text(objects.get(path))}, by the revisions it is {text(model.state.get(path))}"
            )
            yield Violation("the tree is what its revisions say", what, (model.last,))


def _acknowledged(history: History, model: Model) -> Iterator[Violation]:
    """Expect acknowledged commits in the tree, failed ones not, and no commit that nobody tried."""
    by_token = _by_token(history)
    for attempt in history.attempts:
        yield from _accounted(attempt, by_token.pop(attempt.token, []), model)
    for token, revisions in by_token.items():
        numbers = tuple(revision.revision for revision in revisions)
        yield Violation("each revision was somebody's", f"nobody tried {token!r}", numbers, (token,))


def _by_token(history: History) -> dict[str, list[Revision]]:
    """Find the commits of each token, of a large one the last part."""
    found: dict[str, list[Revision]] = {}
    for revision in sorted(history.tree.revisions, key=lambda revision: revision.revision):
        commits = found.setdefault(revision.message, [])
        if commits and (revision.part, revision.revision) == (commits[-1].part + 1, commits[-1].revision + 1):
            commits.pop()
        commits.append(revision)
    return found


def _accounted(attempt: Attempt, found: list[Revision], model: Model) -> Iterator[Violation]:
    numbers, tokens = tuple(revision.revision for revision in found), (attempt.token,)
    if len(found) > 1:
        yield Violation("each commit once", f"{attempt.token} was committed as {numbers}", numbers, tokens)
    match attempt.outcome:
        case Outcome.COMMITTED if numbers[:1] != (attempt.revision,):
            what = f"{attempt.token} was acknowledged as revision {attempt.revision}, but is {numbers or 'not there'}"
            yield Violation("no commit is lost", what, (attempt.revision, *numbers), tokens)
        case Outcome.CONFLICT | Outcome.UNREACHABLE | Outcome.REFUSED if found:
            what = f"{attempt.token} was said not to be committed ({attempt.outcome}), but is {numbers}"
            yield Violation("what failed is not there", what, numbers, tokens)
        case _:
            yield from _as_wanted(attempt, found, model)


def _as_wanted(attempt: Attempt, found: list[Revision], model: Model) -> Iterator[Violation]:
    """Expect each object as its writer wanted it.

    A revision leaves out the objects that another writer had already set so.
    """
    for revision in found:
        for path, wanted in attempt.effect.items():
            became = text(model.at(revision.revision, path))
            if became != wanted:
                what = f"{attempt.token} wanted {path} to be {wanted}, at revision {revision.revision} it is {became}"
                yield Violation("no update is lost", what, (revision.revision,), (attempt.token,))


def _in_time(history: History, _: Model) -> Iterator[Violation]:
    """Expect what began after an acknowledgement to be a later revision than the acknowledged one."""
    attempts = {attempt.token: attempt for attempt in history.attempts}
    first_end, ender = math.inf, ""
    for revision in sorted(history.tree.revisions, key=lambda revision: -revision.revision):
        attempt = attempts.get(revision.message)
        if attempt is None:
            continue
        if attempt.began > first_end:
            what = f"revision {revision.revision} began after a later one, {ender}, was acknowledged"
            yield Violation(
                "revisions are in the order of time", what, (revision.revision,), (attempt.token, ender)
            )
        if attempt.outcome is Outcome.COMMITTED and attempt.ended < first_end:
            first_end, ender = attempt.ended, attempt.token


def _ruled(history: History, _: Model) -> Iterator[Violation]:
    """Expect every state that was released to keep the rules of a map."""
    seen = released(history.tree.revisions)
    for number, lunmap in _maps(history):
        if number not in seen:
            continue
        found = (str(lunmap),) if isinstance(lunmap, DocumentError) else check_map(lunmap)
        for problem in found:
            yield Violation("each state keeps the rules", f"revision {number}: {problem}", (number,))


def _maps(history: History) -> Iterator[tuple[int, Lunmap | DocumentError]]:
    """Yield the map at each revision, from the empty one on."""
    lunmap = Lunmap()
    for revision in sorted(history.tree.revisions, key=lambda revision: revision.revision):
        try:
            lunmap = patch_map(lunmap, revision.changes)
        except DocumentError as error:
            yield revision.revision, error
        else:
            yield revision.revision, lunmap


def _remembered(history: History, _: Model) -> Iterator[Violation]:
    """Expect each LUN number that any released state had to be in use, or in the ledger."""
    seen = released(history.tree.revisions)
    ever, now = set[Number](), set[Number]()
    for number, lunmap in _maps(history):
        if number in seen and isinstance(lunmap, Lunmap):
            now = {
                (host, entry.target, entry.lun)
                for lun in lunmap.luns.values()
                for entry in lun.maps
                for host in initiators_of(lunmap, entry)
            }
            ever |= now
    for host, target, lun in sorted(ever - now - set(_recorded(history))):
        yield Violation("no LUN number is forgotten", f"{lun} of {host} through {target} is in no record")


def _recorded(history: History) -> Iterator[Number]:
    """Yield the LUN numbers in the records of the ledger, as docs/znodes.md describes these."""
    for host, data in history.tree.records.items():
        for target, numbers in json.loads(data)["targets"].items():
            for first, last in numbers["used"]:
                yield from ((host, target, lun) for lun in range(first, last + 1))


def _followed(history: History, model: Model) -> Iterator[Violation]:
    """Expect each follower to pass only through released revisions, as they were, and never back."""
    last: dict[str, FollowerState] = {}
    tried, seen = _tried(history), released(history.tree.revisions)
    for followed in history.follower_states:
        before = last.get(followed.follower)
        if before is not None and not _is_onward(before, followed):
            yield _seen("followers go forward", f"after revision {before.revision}", followed)
        yield from _is_real(model, followed, tried, seen)
        last[followed.follower] = followed


def _tried(history: History) -> dict[int, float]:
    began = {attempt.token: attempt.began for attempt in history.attempts}
    return {
        revision.revision: began[revision.message]
        for revision in history.tree.revisions
        if revision.message in began
    }


def _is_onward(before: FollowerState, after: FollowerState) -> bool:
    """Return whether the follower moved forward.

    Within one run the revision grows, or the same revision is read with other out-of-band edits.
    """
    if before.life == after.life and before.digest == after.digest:
        return after.revision > before.revision
    return after.revision >= before.revision


def _is_real(
    model: Model, followed: FollowerState, tried: dict[int, float], seen: frozenset[int]
) -> Iterator[Violation]:
    number = followed.revision
    if number not in model.digests:
        yield _seen("followers see what was committed", "which is no revision", followed)
        return
    if number not in seen:
        yield _seen("followers see what was released", "which was not released", followed)
    if not model.may_be(number, followed.digest, followed.at):
        what = f"with digest {followed.digest}, it has {show_digest(model.digests[number])}"
        yield _seen("followers see each revision as it is", what, followed)
    if followed.at < tried.get(number, -math.inf):
        yield _seen("followers see what was committed", "before anybody tried it", followed)


def _seen(promise: str, what: str, followed: FollowerState) -> Violation:
    return Violation(
        promise,
        f"{followed.follower} saw revision {followed.revision}, {what}",
        (followed.revision,),
        follower=followed.follower,
    )


def _converged(history: History, _: Model) -> Iterator[Violation]:
    """Expect every follower to be where head is, when all is over."""
    head = history.tree.head
    last = {followed.follower: followed for followed in history.follower_states}
    for name in sorted(history.kernels.keys() | last.keys()):
        seen = last.get(name)
        if seen is None or (seen.revision, seen.digest) != (head.revision, head.digest):
            at = "nothing" if seen is None else f"revision {seen.revision} with digest {seen.digest}"
            what = f"{name} has {at}, head is {head.revision} with {head.digest}"
            yield Violation("every follower comes to head", what, (head.revision,), follower=name)


def _applied(history: History, _: Model) -> Iterator[Violation]:
    """Expect every follower's LIO to be as the map asks at the end."""
    maps = [lunmap for _, lunmap in _maps(history) if isinstance(lunmap, Lunmap)]
    lunmap = maps[-1] if maps else Lunmap()
    for name, found in sorted(history.kernels.items()):
        wanted = {shown(item) for item in project_map(lunmap, name, {PORT_ID}).values()}
        for item in sorted(wanted ^ set(found)):
            what = f"{name} {'lacks' if item in wanted else 'has'} {item}"
            yield Violation(
                "every LIO is as the map says", what, (history.tree.head.revision,), follower=name
            )


def _frozen(history: History, _: Model) -> Iterator[Violation]:
    """Expect nobody to follow anything after the tree was wiped.

    The checks of the tree itself prove that nothing was committed.
    """
    for followed in history.follower_states:
        if history.wiped_at is not None and followed.at > history.wiped_at:
            yield _seen("without the tree nothing moves", "after the tree was gone", followed)


_PROMISES: tuple[Promise, ...] = (
    _linear,
    _head,
    _objects,
    _acknowledged,
    _in_time,
    _ruled,
    _remembered,
    _followed,
    _converged,
    _applied,
    _frozen,
)
