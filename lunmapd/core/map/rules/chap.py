"""Rules of CHAP credentials that need no key."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.secrets.sealing import is_sealed


def check_chap(place: Place, chap: Chap | None) -> Iterator[Problem]:
    """Check user and sealed password; any other text is not shown, since it may be a password."""
    if chap is None:
        return
    if sentence := names.check_chap_user(chap.user):
        yield Problem((*place, "user"), sentence)
    if not chap.password:
        yield Problem(
            (*place, "password"),
            "there is none yet: set it first, with 'lunmapctl secret set', for a new host with "
            "'lunmapctl host add --chap USER'",
        )
    elif not is_sealed(chap.password):
        yield Problem(
            (*place, "password"),
            "is not a sealed password: omit it and use 'lunmapctl secret set'; "
            "if it is a real password, every reader of this file can have seen it",
        )
