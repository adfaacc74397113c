"""The messages of the journal: an id for each kind, and the fields that programs search for.

packaging/journal/lunmapd.catalog explains each id (`journalctl -x`). An id never changes its meaning.
"""

from enum import StrEnum


class Message(StrEnum):
    """The kinds of messages; the value is the MESSAGE_ID (systemd.journal-fields(7))."""

    STARTED = "10077eab3dca479ea3d7f3fd1c02a271"
    STOPPED = "c53d08593c2340879dbd4b2e1868f4c9"
    CHANGED = "b5c6b455c2f945558e30f8245d79888e"
    REPAIRED = "b46846927cda46fab56d5367105ce19e"
    FAILING = "45e9a754f83d46cebeb072d6ef417022"
    RECOVERED = "31e85262c469453f89eeb1c1b19be73b"
    CONDITION_BAD = "9ca403fa46ba4a02b94c65cadf9031ca"
    CONDITION_GOOD = "291a1e728fdc45b1a66eb4cf832f877b"
    STATUS_UNWRITTEN = "8da67191d7d84109bcb271cdfc03f337"
    KEYS_UNUSABLE = "9877cd90612c488fb56dd7e6171896d1"
    SNAPSHOT_DAMAGED = "1f0a4c6c51d74f0fb2a3c7f1a5e0d9b4"
    CLAIMS_DAMAGED = "4f6b2d0a9c1e47d8b3f5a7e2c860d914"
    ADDRESSES_DAMAGED = "7d7b1c3a5e0f4b6c9a2d8e4f10b35c96"
    RELOADED = "e0b62d6ee5924e738372ee8ab180c1bf"
    RELOAD_REFUSED = "d8d6123f6ba346e1a2e9155a62c4b8a5"
    NEEDS_RESTART = "cfffcf8252c645b6a8e20800e414535b"
    SEEN_UNWRITTEN = "b54f384c6fa14ddfb3189eb0e7c4d50e"
    METRICS_UNAVAILABLE = "c0a6de5a4f0b4c43b6b6f3f6e0a1c7d2"
    UNEXPECTED = "73fe9efe37c64cae982f9ced7eb2deab"
    RESERVATION_RESTORED = "71cb461ee35d4767811cb6da1eb711a3"
    RESERVATION_ENDED = "c340cdba290c4866a72558a37b370392"
    UNWATCHED = "5d0c4b7d2f8e4e0f9a6c1b3e7d94a218"
    LOGIN_REFUSED = "1c8d2ac4a0e94b3f9d6f0b7d5e3a2f68"
    LOGINS_NOT_REFUSED = "e27c1d90b6f34a0cb5a8d4f7c9130e5b"
    PORTALS_UNWATCHED = "7b3e0b1c5d5f4b6e8c0a4f2d9e6b7a31"
    ROLLOUT_UNDONE = "b919c974a1224e32a7a56837b2d37fca"
    BACKINGS_UNREAD = "9a1c4e7f02d84b65b3f6a8d05c2e7914"
    GROUP_TAKEN = "3e9d54b1c7a24f0e8b6d2f71a0c95e48"
    GROUP_RELEASED = "b81f0a6de3c94275a9e7c4d05b2f6813"
    GROUP_LOST = "6fa2c87e51b04d3c9e08d7b41f3a5c92"
    ADDRESS_IN_USE = "d05b7c3f92e14a68b1f4e6a80c7d2935"


def journal_fields(message: Message, **more: object) -> dict[str, str]:
    """Return `extra` for a logging call: `object=...` becomes the journal field LUNMAPD_OBJECT."""
    return {"MESSAGE_ID": message.value, **{f"LUNMAPD_{name.upper()}": str(more[name]) for name in more}}
