"""The next action of a node for a floating portal group.

The decision is made of facts alone, so it converges wherever a process is killed. The order of a release is:
disable the TPG, remove the addresses, demote the storage, write the record. The order of a take is: detect
duplicates, write the record, promote the storage, give the addresses to the kernel, enable the TPG, announce
the addresses. A hook promotes and demotes beside the other steps, so that the lease is renewed meanwhile.
"""

from lunmapd.core.floating.facts import (
    Announce,
    DetectDuplicates,
    Disable,
    Drop,
    Enable,
    Facts,
    Grant,
    LeaseAction,
    Release,
    Renew,
    Take,
    Wait,
)
from lunmapd.core.floating.lease import Proof, last_grant, lease_end
from lunmapd.core.floating.promotion import IN_BETWEEN, Promotion

HOOK_LOOK = 0.1
"""How often a hook at work is looked at."""

CHECK_VALID = 2.0
"""How long the answer that an address is free is used."""

CHECK_PAUSE = 5.0
"""The pause after the answer that an address is in use."""


def next_action(facts: Facts, now: float) -> LeaseAction:
    """Return the next action at `now`."""
    if facts.owns:
        return _own(facts, now) if facts.wanted else _release(facts, now)
    if facts.present:
        return _drop(facts, now)
    if facts.enabled:
        return Wait() if facts.stuck else Disable()
    return _take(facts, now) if facts.wanted else Wait()


def _drop(facts: Facts, now: float) -> LeaseAction:
    """Return how the addresses go; a hook that demotes is waited for."""
    return Wait(now + HOOK_LOOK) if facts.promotion is Promotion.DEMOTING else Drop()


def _release(facts: Facts, now: float) -> LeaseAction:
    """Return the next action of an owner that gives the group up."""
    if facts.enabled and not facts.stuck:
        return Disable()
    if facts.present:
        return _keep(facts, now) or _drop(facts, now)
    if facts.writing:
        return Wait()
    return Release(facts.version, quiet=not facts.enabled, successor=facts.successor)


def _keep(facts: Facts, now: float) -> LeaseAction | None:
    """Return the renewal that keeps other nodes away while the hook demotes, None if it is not due."""
    proof = facts.proof
    is_new = proof is not None and proof.version == facts.version and now < proof.sent + facts.times.renewal
    if is_new or facts.writing or facts.promotion is not Promotion.DEMOTING:
        return None
    return Renew(facts.version)


def _own(facts: Facts, now: float) -> LeaseAction:
    """Return the next action of the node that the record names."""
    if facts.enabled and not facts.complete:
        # An address has gone. Its sessions end before it may return, or their old commands would arrive.
        return _release(facts, now) if facts.stuck else Disable()
    proof = facts.proof
    if proof is None or proof.version != facts.version or not _permits(facts):
        return Wait() if facts.writing else Renew(facts.version)
    if now >= lease_end(facts.times, proof) and facts.present:
        return _drop(facts, now)
    if not _is_granted(facts, proof) and now < last_grant(facts.times, proof):
        return _grant(facts, proof, now)
    return _renew(facts, proof, now) or _serve(facts, proof, now)


def _permits(facts: Facts) -> bool:
    """Return whether the record states a lease that is long enough for the present lifetime of grants."""
    return facts.record.lease_ms >= facts.times.milliseconds


def _is_granted(facts: Facts, proof: Proof) -> bool:
    return (facts.complete or facts.promotion in IN_BETWEEN) and facts.granted == proof.version


def _grant(facts: Facts, proof: Proof, now: float) -> LeaseAction:
    if not facts.complete and (asked := _ask(facts, now)):
        return asked
    return Grant(proof.version, facts.times.lifetime, last_grant(facts.times, proof))


def _ask(facts: Facts, now: float) -> LeaseAction | None:
    """Return how to learn whether the address is free; None if it is."""
    check = facts.check
    if check is None:
        return DetectDuplicates()
    if check.free:
        return DetectDuplicates() if now >= check.at + CHECK_VALID else None
    return DetectDuplicates() if now >= check.at + CHECK_PAUSE else Wait(check.at + CHECK_PAUSE)


def _renew(facts: Facts, proof: Proof, now: float) -> LeaseAction | None:
    """Return what the end of a proof requires; None while the proof is new."""
    if now < proof.sent + facts.times.renewal and _is_granted(facts, proof):
        return None
    if not facts.writing:
        return Renew(facts.version)
    return Wait(lease_end(facts.times, proof)) if facts.present else Wait()


def _serve(facts: Facts, proof: Proof, now: float) -> LeaseAction:
    if not facts.complete:
        return Wait(now + HOOK_LOOK)
    if not facts.enabled:
        return Enable()
    if not facts.announced:
        # A host that connects as soon as it hears this would be refused by a disabled TPG.
        return Announce()
    return Wait(proof.sent + facts.times.renewal)


def _take(facts: Facts, now: float) -> LeaseAction:
    """Return the next action of a node that is to take the group over."""
    if now < facts.ask_at:
        return Wait(facts.ask_at)
    if asked := _ask(facts, now):
        return asked
    if now < facts.take_at:
        return Wait(facts.take_at)
    return Wait() if facts.writing else Take(facts.version)
