"""Rules of CHAP credentials, as far as they show without a key."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Chap
from lunmapd.core.secrets.sealing import is_sealed


def check_chap(place: Place, chap: Chap | None) -> Iterator[Problem]:
    """Check user and sealed password; what is no sealed text is not shown, for it may be a password."""
    if chap is None:
        return
    if sentence := names.check_chap_user(chap.user):
        yield Problem((*place, "user"), sentence)
    if not chap.password:
        yield Problem(
            (*place, "password"), "there is none yet: leave this out here and use 'lunmapctl secret set'"
        )
    elif not is_sealed(chap.password):
        yield Problem(
            (*place, "password"),
            "is not a sealed password: leave it out here and use 'lunmapctl secret set'; "
            "if it is a real one, it has been seen by whoever can read this",
        )
