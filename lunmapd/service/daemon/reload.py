"""Reading the settings again: which may change while the daemon runs, and which need a restart."""

from collections.abc import Iterator

from msgspec import Struct, structs

from lunmapd.service.settings import Settings

LIVE = frozenset({"allow", "drift", "resync", "retry", "full_read", "removal_limit", "removal_minimum"})


def merge_settings(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings to use now, and the names of those that keep their old value until a restart."""
    live = {name: getattr(new, name) for name in LIVE}
    merged = structs.replace(old, **live)
    return merged, tuple(_differences(merged, new))


def _differences(old: Struct, new: Struct, above: str = "") -> Iterator[str]:
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Struct) and isinstance(after, Struct):
            yield from _differences(before, after, f"{above}{name}.")
        elif before != after:
            yield f"{above}{name}"
