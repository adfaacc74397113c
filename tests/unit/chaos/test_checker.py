"""The checker of the chaos tests finds each kind of violation, and none in a correct history."""

from collections.abc import Callable
from functools import reduce

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from chaos.checker import violations
from chaos.edits import SHARED, edit, first_map, with_lun
from chaos.history import (
    Attempt,
    FollowerState,
    History,
    Outcome,
    Overwrite,
    Tree,
    effect_of,
    records_around,
    shown,
    text,
)
from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap, Map
from lunmapd.core.history.changes import Change, Head, Revision, as_bytes, as_raw, diff_maps
from lunmapd.core.history.digest import replace_document, show_digest
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from support.digests import map_digest

LAST = 8
NODE = "n1"
TARGET, INITIATOR = "iqn.2026-01.org.example:t0", "iqn.2026-01.org.example:h0"
SMEARED = "luns/l0"
GARBAGE = b"{garbage"
SMEAR = Overwrite(SMEARED, GARBAGE, 6.7, 6.8)


def maps() -> list[Lunmap]:
    """Return the empty map and one for each revision: nodes first, then l2, l0, l1 in turn, each larger."""
    found = [Lunmap(), first_map()]
    for number in range(2, LAST + 1):
        index = number % 3
        lun = Lun(
            Block(f"/dev/l{index}"),
            str(index) * 32,
            number << 20,
            shared=SHARED,
            maps=(Map(TARGET, index, INITIATOR),),
        )
        found.append(with_lun(found[-1], f"l{index}", lun))
    return found


MAPS = maps()


def revision(number: int) -> Revision:
    """Return the revision that leads to the map of this number."""
    changes = diff_maps(MAPS[number - 1], MAPS[number])
    digest = show_digest(map_digest(MAPS[number]))
    return Revision(number, digest, "w1", "2026-01-01T00:00:00Z", f"w1/{number}/1", changes)


REVISIONS = tuple(revision(number) for number in range(1, LAST + 1))


def attempt(number: int) -> Attempt:
    """Return the attempt that made this revision, from second `number` on, for half a second."""
    effect = effect_of(REVISIONS[number - 1].changes)
    return Attempt(f"w1/{number}/1", number, number + 0.5, Outcome.COMMITTED, effect, number)


def followed(number: int, digest: str = "") -> FollowerState:
    """Return a follower's state at a revision, just after its commit."""
    return FollowerState(NODE, 1, number + 0.6, number, digest or REVISIONS[number - 1].digest)


GOOD = History(
    Tree(
        Head(LAST, REVISIONS[-1].digest),
        REVISIONS,
        {f"{section}/{name}": encode(document) for section, name, document in MAPS[-1].documents()},
    ),
    tuple(attempt(number) for number in range(1, LAST + 1)),
    tuple(followed(number) for number in range(1, LAST + 1)),
    kernels={NODE: tuple(map(shown, project_map(MAPS[-1], NODE, {PORT_ID}).values()))},
)


def promises(history: History) -> set[str]:
    """Return the promises that are broken."""
    return {found.promise for found in violations(history)}


def with_revision(number: int, new: Revision | None) -> History:
    """Return the history with one revision replaced, or left out."""
    revisions = [*REVISIONS[: number - 1], *([new] if new else []), *REVISIONS[number:]]
    return replace(GOOD, tree=replace(GOOD.tree, revisions=tuple(revisions)))


def in_parts(number: int) -> History:
    """Return the history in which a revision and the next one are the parts of one large commit."""
    (first, second) = (
        replace(REVISIONS[number - 1 + index], part=index + 1, message=f"w1/{number}/1") for index in (0, 1)
    )
    revisions = (*REVISIONS[: number - 1], first, second, *REVISIONS[number + 1 :])
    whole = replace(
        attempt(number), effect={**attempt(number).effect, **attempt(number + 1).effect}, revision=number + 1
    )
    attempts = (*GOOD.attempts[: number - 1], whole, *GOOD.attempts[number + 1 :])
    return replace(GOOD, tree=replace(GOOD.tree, revisions=revisions), attempts=attempts)


def with_attempt(number: int, **changed: object) -> History:
    """Return the history with something of one attempt changed."""
    attempts = list(GOOD.attempts)
    attempts[number - 1] = replace(attempts[number - 1], **changed)
    return replace(GOOD, attempts=tuple(attempts))


def with_sightings(*follower_states: FollowerState) -> History:
    """Return the history with other sightings before the last one."""
    return replace(GOOD, follower_states=(*follower_states, followed(LAST)))


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """A history in which each commit was acknowledged, done once and seen by a follower breaks no promise."""
    assert violations(GOOD) == ()


def lost_update() -> History:
    """Return a history whose revision 6 sets a Lun from its value of revision 2, before revision 3 set it."""
    (change,) = REVISIONS[5].changes
    return with_revision(6, replace(REVISIONS[5], changes=(replace(change, before=UNSET),)))


def with_number(number: int, record: object) -> History:
    """Return the history in which the last revision takes a LUN number away, with this record of the host."""
    lun = replace(MAPS[-1].luns["l2"], maps=(Map(TARGET, number, INITIATOR),))
    before = with_lun(MAPS[-1], "l2", lun)
    changes = diff_maps(MAPS[-1], before), diff_maps(before, MAPS[-1])
    digests = show_digest(map_digest(before)), REVISIONS[-1].digest
    added = [
        Revision(LAST + index, digest, "w1", "2026-01-01T00:00:00Z", f"w1/{LAST + index}/1", change)
        for index, (digest, change) in enumerate(zip(digests, changes, strict=True), 1)
    ]
    attempts = [
        Attempt(
            each.message,
            each.revision,
            each.revision + 0.5,
            Outcome.COMMITTED,
            effect_of(each.changes),
            each.revision,
        )
        for each in added
    ]
    sightings = [FollowerState(NODE, 1, each.revision + 0.6, each.revision, each.digest) for each in added]
    records = {INITIATOR: encode({"targets": {TARGET: record}})} if record else {}
    tree = replace(
        GOOD.tree, head=Head(LAST + 2, digests[1]), revisions=(*REVISIONS, *added), records=records
    )
    return replace(
        GOOD,
        tree=tree,
        attempts=(*GOOD.attempts, *attempts),
        follower_states=(*GOOD.follower_states, *sightings),
    )


def test_a_number_in_the_ledger_is_remembered() -> None:
    """A LUN number that is not in use any more has to be in the host's record, in one of its ranges."""
    assert violations(with_number(5, {"used": [[4, 6]]})) == ()
    assert promises(with_number(5, {"used": [[6, 9]]})) == {"no LUN number is forgotten"}


WRONG: dict[str, tuple[Callable[[], History], str]] = {
    "a lost update": (lost_update, "each revision follows from the one before"),
    "a gap": (lambda: with_revision(4, None), "no gap"),
    "a revision beyond head": (
        lambda: replace(GOOD, tree=replace(GOOD.tree, head=Head(LAST - 1, REVISIONS[-2].digest))),
        "no gap",
    ),
    "a revision twice": (
        lambda: replace(GOOD, tree=replace(GOOD.tree, revisions=(*REVISIONS, REVISIONS[3]))),
        "each revision once",
    ),
    "a commit twice": (
        lambda: with_revision(4, replace(REVISIONS[3], message="w1/3/1")),
        "each commit once",
    ),
    "a revision of nobody": (
        lambda: with_revision(4, replace(REVISIONS[3], message="zkCli")),
        "each revision was somebody's",
    ),
    "a digest that the changes don't lead to": (
        lambda: with_revision(4, replace(REVISIONS[3], digest="0" * 64)),
        "each digest is that of the state",
    ),
    "a head with another digest": (
        lambda: replace(GOOD, tree=replace(GOOD.tree, head=Head(LAST, "0" * 64))),
        "head has the digest of its revision",
    ),
    "a LUN number that is in no record": (
        lambda: with_number(5, {}),
        "no LUN number is forgotten",
    ),
    "an object that no revision made": (
        lambda: replace(GOOD, tree=replace(GOOD.tree, objects={**GOOD.tree.objects, "luns/x": b"{}"})),
        "the tree is what its revisions say",
    ),
    "an acknowledged commit that is not there": (
        lambda: replace(
            GOOD,
            attempts=(*GOOD.attempts, Attempt("w2/1/1", 4, 5, Outcome.COMMITTED, {}, 4)),
        ),
        "no commit is lost",
    ),
    "an acknowledged commit that is another revision": (
        lambda: with_attempt(4, revision=5),
        "no commit is lost",
    ),
    "a commit that did something else": (
        lambda: with_attempt(4, effect={"luns/other": "{}"}),
        "no update is lost",
    ),
    "a conflict that was committed": (
        lambda: with_attempt(4, outcome=Outcome.CONFLICT),
        "what failed is not there",
    ),
    "an unreachable commit that was committed": (
        lambda: with_attempt(4, outcome=Outcome.UNREACHABLE),
        "what failed is not there",
    ),
    "revisions against the order of time": (
        lambda: with_attempt(4, began=20.0, ended=21.0),
        "revisions are in the order of time",
    ),
    "a follower that goes back": (
        lambda: with_sightings(followed(4), followed(3)),
        "followers go forward",
    ),
    "a follower that starts anew from an older revision": (
        lambda: with_sightings(followed(4), replace(followed(3), life=2)),
        "followers go forward",
    ),
    "a follower at no revision": (
        lambda: with_sightings(replace(followed(LAST), revision=LAST + 1)),
        "followers see what was committed",
    ),
    "a follower that is ahead of its time": (
        lambda: with_sightings(replace(followed(4), at=3.9)),
        "followers see what was committed",
    ),
    "a follower with a map that never was": (
        lambda: with_sightings(followed(4, REVISIONS[4].digest)),
        "followers see each revision as it is",
    ),
    "a follower at an unreleased revision": (
        lambda: in_parts(4),
        "followers see what was released",
    ),
    "a follower that stays behind": (
        lambda: replace(GOOD, follower_states=GOOD.follower_states[:-1]),
        "every follower comes to head",
    ),
    "a follower that saw nothing": (
        lambda: replace(GOOD, follower_states=()),
        "every follower comes to head",
    ),
    "a follower whose LIO lacks something": (
        lambda: replace(GOOD, kernels={NODE: GOOD.kernels[NODE][1:]}),
        "every LIO is as the map says",
    ),
    "a follower that moves without a tree": (
        lambda: replace(GOOD, wiped_at=4.0),
        "without the tree nothing moves",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_found(wrong: str) -> None:
    """Each way in which a history can be wrong is named as the promise that it breaks."""
    make, promise = WRONG[wrong]
    assert promise in promises(make())


def test_a_map_that_breaks_a_rule_is_found() -> None:
    """A commit of a map that could not be served is found, though it is recorded as it should be."""
    bad = replace(MAPS[LAST], nodes={})
    changes = diff_maps(MAPS[LAST], bad)
    digest = show_digest(map_digest(bad))
    added = Revision(LAST + 1, digest, "w1", "2026-01-01T00:00:00Z", "w1/9/1", changes)
    history = replace(GOOD, tree=replace(GOOD.tree, revisions=(*REVISIONS, added)))
    assert "each state keeps the rules" in promises(history)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.COMMITTED])
def test_an_unknown_outcome_may_be_either(outcome: Outcome) -> None:
    """A commit of unknown outcome may be there or not; an acknowledged one may not be missing."""
    assert violations(with_attempt(LAST, outcome=Outcome.UNKNOWN)) == ()
    missing = Attempt("w2/1/1", 4, 5, outcome, {}, 4)
    assert bool(violations(replace(GOOD, attempts=(*GOOD.attempts, missing)))) == (
        outcome is Outcome.COMMITTED
    )


def test_revisions_that_were_not_released_may_be_passed_over() -> None:
    """A follower that saw only the released revisions kept its promise."""
    history = replace(in_parts(4), follower_states=tuple(followed(number) for number in (1, 3, 5, LAST)))
    assert violations(history) == ()


def test_a_new_life_may_begin_where_the_last_ended() -> None:
    """A restarted daemon may see the same revision again; within one run that is no progress."""
    again = followed(4)
    assert violations(with_sightings(followed(4), replace(again, life=2))) == ()
    assert promises(with_sightings(followed(4), again)) == {"followers go forward"}


def with_garbage(number: int) -> str:
    """Return the digest of a revision's map with the garbage in it; the Lun is what revision 6 made it."""
    good = encode(MAPS[6].luns["l0"])
    value = replace_document(int(REVISIONS[number - 1].digest, 16), SMEARED, good, GARBAGE)
    return show_digest(value)


def adopted() -> History:
    """Return the history in which revisions 7 and 8 were made over the garbage, and left it there."""
    revisions = (*REVISIONS[:6], *(replace(r, digest=with_garbage(r.revision)) for r in REVISIONS[6:]))
    tree = Tree(Head(LAST, with_garbage(LAST)), revisions, {**GOOD.tree.objects, SMEARED: GARBAGE})
    follower_states = (
        *GOOD.follower_states[:6],
        *(followed(number, with_garbage(number)) for number in (7, 8)),
    )
    return replace(GOOD, tree=tree, follower_states=follower_states, overwrites=(SMEAR,))


def repaired() -> History:
    """Return the history that goes on with revision 9, which gives the Lun a document again."""
    before = adopted()
    good = encode(MAPS[6].luns["l0"])
    digest, token = REVISIONS[-1].digest, "admin/1/1"
    changes = (Change(SMEARED, after=as_raw(good)),)
    added = Revision(LAST + 1, digest, "admin", "2026-01-01T00:00:00Z", token, changes)
    return replace(
        before,
        tree=Tree(Head(LAST + 1, digest), (*before.tree.revisions, added), GOOD.tree.objects),
        attempts=(
            *before.attempts,
            Attempt(token, 9, 9.5, Outcome.COMMITTED, effect_of(changes), LAST + 1),
        ),
        follower_states=(*before.follower_states, FollowerState(NODE, 1, 9.6, LAST + 1, digest)),
    )


def test_garbage_that_a_commit_left_alone_is_part_of_the_map() -> None:
    """A revision over garbage has a digest with it, which is right only if the garbage was written."""
    assert violations(adopted()) == ()
    assert "each digest is that of the state" in promises(replace(adopted(), overwrites=()))


def test_garbage_may_be_replaced() -> None:
    """A revision that replaces the garbage records nothing as its past, and all is well again."""
    assert violations(repaired()) == ()


def test_a_follower_may_see_garbage_only_while_it_is_there() -> None:
    """A full read finds out-of-band edits, not before they were made and not after they were replaced."""
    during = replace(with_sightings(followed(6, with_garbage(6))), overwrites=(SMEAR,))
    assert promises(during) == {"followers see each revision as it is"}
    late = replace(followed(6, with_garbage(6)), at=6.9)
    assert violations(replace(during, follower_states=(late, followed(LAST)))) == ()
    after = repaired()
    again = FollowerState(NODE, 1, 9.7, LAST + 1, with_garbage(LAST))
    seen = promises(replace(after, follower_states=(*after.follower_states, again)))
    assert "followers see each revision as it is" in seen


def test_the_offending_piece_is_what_is_around() -> None:
    """The records of a violation are its revisions with neighbours, attempts, and states of the follower."""
    history = with_sightings(followed(4, REVISIONS[5].digest))
    (found,) = violations(history)
    shown = list(records_around(history, found))
    assert [record.revision for record in shown if isinstance(record, Revision)] == [3, 4, 5]
    assert [record.revision for record in shown if isinstance(record, Attempt)] == [3, 4, 5]
    assert [record.revision for record in shown if isinstance(record, FollowerState)] == [4]


def test_edits_follow_from_their_seed() -> None:
    """The same seed makes the same edits of the same map, each with something to commit."""
    first = [reduce(edit, range(seed, seed + 20), first_map()) for seed in (1, 1, 2)]
    assert first[0] == first[1] != first[2]
    assert all(edit(lunmap, 7) != lunmap for lunmap in first)


def test_edits_map_luns_too() -> None:
    """Luns are mapped by the edits, so that nodes have something to make and to take away."""
    found = reduce(edit, range(100), first_map())
    assert any(lun.maps for lun in found.luns.values())


def test_what_others_had_already_made_so_is_not_lost() -> None:
    """A revision need not name an object that another writer already made so."""
    (earlier,) = REVISIONS[4].changes
    effect = {**GOOD.attempts[5].effect, earlier.path: text(as_bytes(earlier.after))}
    assert violations(with_attempt(6, effect=effect)) == ()
