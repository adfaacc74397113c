"""Short forms of iSCSI names."""

import pytest

from lunmapd.core.base.lunmap import Initiator, Lunmap, PortalGroup, Target
from lunmapd.core.map.short_names import NoSuchNameError, last_part, resolve_name, short_names

A, B = "iqn.2026-01.org.example:a", "iqn.2026-01.org.example:b"
OTHER_A = "iqn.2026-01.com.example:a"
PLAIN = "eui.0123456789abcdef"
HOSTS = {A: Initiator("web 1"), B: Initiator("web 2"), PLAIN: Initiator()}


def test_a_short_form_is_unique_in_all_maps() -> None:
    """The part after the last colon, unless two names have it or it is a name itself."""
    target = Target({"n1": PortalGroup(1)})
    names = short_names(
        Lunmap(targets={A: target}, initiators=HOSTS), Lunmap(initiators={OTHER_A: Initiator()})
    )
    assert names.target(A) == "a"
    assert [names.initiator(name) for name in (A, OTHER_A, B, PLAIN)] == [A, OTHER_A, "b", PLAIN]
    assert names.target(B) == B
    assert last_part("iqn.2026-01.org.example:") == "iqn.2026-01.org.example:"


@pytest.mark.parametrize("word", [A, "a", "web 1"])
def test_a_word_stands_for_a_name(word: str) -> None:
    """It is the name, its last part, or its alias."""
    assert resolve_name(word, HOSTS, "initiator") == A


def test_a_word_for_several_or_none_is_refused() -> None:
    """The message names those that it could be, the nearest one in any case of letters, or all."""
    several = {A: Initiator(), OTHER_A: Initiator()}
    with pytest.raises(NoSuchNameError, match=r"'a' stands for several: .*com.example:a, .*org.example:a"):
        resolve_name("a", several, "initiator")
    with pytest.raises(NoSuchNameError, match="the map has no initiator 'web 3'; did you mean 'web"):
        resolve_name("web 3", HOSTS, "initiator")
    with pytest.raises(NoSuchNameError, match="'SAN'; did you mean 'san'"):
        resolve_name("SAN", {"iqn.2026-01.com.example:san": Target({})}, "target")
    with pytest.raises(NoSuchNameError, match="'xyzzy'; 'lunmapctl get targets' lists them"):
        resolve_name("xyzzy", {"iqn.2026-01.com.example:san": Target({})}, "target")


def test_an_empty_word_stands_for_nothing() -> None:
    """As from an unset variable of a script: it is not the alias of hosts without one."""
    with pytest.raises(NoSuchNameError, match="the map has no initiator ''"):
        resolve_name("", {PLAIN: Initiator()}, "initiator")
