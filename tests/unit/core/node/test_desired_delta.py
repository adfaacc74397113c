"""Changes that a view leaves to a full pass; tests/property/test_view.py proves its other answers."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block, RamDisk
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.lunmap import (
    Authentication,
    Chap,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
)
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import broken_documents, compute_desired
from lunmapd.core.node.desired_delta import MAX_CHANGED_LUNS, Delta, DesiredView
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.opening import READ_ONLY
from lunmapd.core.secrets.sealing import Keyring, Vault

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
VAULT = Vault("c")


def lun(number: int, path: str = "", lun_number: int | None = None) -> Lun:
    """Return a Lun of its own."""
    maps = (Map(T, number if lun_number is None else lun_number, H),)
    return Lun(Block(path or f"/dev/{number}"), f"{number:04x}" * 8, maps=maps)


MAP = Lunmap(
    {"l1": lun(1), "l2": lun(2), "memory": replace(lun(3), backing=RamDisk(volatile=True), size=1 << 20)},
    {T: Target({"n1": PortalGroup(1)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",))},
)


def view(lunmap: Lunmap = MAP) -> DesiredView:
    """Return a view of a map."""
    wanted = compute_desired(lunmap, {}, "n1", Observed(), VAULT).objects
    return DesiredView(lunmap, "n1", VAULT, frozenset(), wanted)


def test_a_lun_that_is_open_for_reading_needs_a_full_pass() -> None:
    """Only a full observation shows whether its device accepts writes now; other Luns are followed."""
    wanted = dict(compute_desired(MAP, {}, "n1", Observed(), VAULT).objects)
    item = wanted["storage_object", "l1"]
    assert isinstance(item, lio_objects.StorageObject)
    wanted["storage_object", "l1"] = replace(item, access=READ_ONLY)
    viewed = DesiredView(MAP, "n1", VAULT, frozenset(), wanted)
    assert viewed.delta_to(with_lun(lun(1, lun_number=4), "l1")) is FullPass.READ_ONLY
    assert isinstance(viewed.delta_to(with_lun(lun(2, lun_number=4), "l2")), Delta)


def with_lun(new: Lun, name: str = "new") -> Lunmap:
    """Return the map with a Lun more."""
    return replace(MAP, luns={**MAP.luns, name: new})


def test_a_lun_of_its_own_is_followed() -> None:
    """A Lun that clashes with nothing is a matter of its own objects."""
    part = view().delta_to(with_lun(lun(9)))
    assert isinstance(part, Delta)
    assert {name[0] for name in part.keys} == {"storage_object", "lun", "acl", "mapped_lun"}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (with_lun(lun(9, path="/dev/1")), FullPass.IDENTITY),
        (with_lun(replace(lun(9), serial=lun(1).serial)), FullPass.IDENTITY),
        (with_lun(lun(9, lun_number=1)), FullPass.LUN_NUMBER),
        (with_lun(replace(lun(9), serial="no serial!")), FullPass.RULES),
        (with_lun(replace(lun(9), maps=(Map(T, 9, "iqn.2026-01.org.example:nobody"),))), FullPass.RULES),
        (replace(MAP, nodes={"n1": Node(1, ("10.0.0.2:3260",))}), FullPass.OTHER_OBJECTS),
        (replace(MAP, targets={T: Target({"n1": PortalGroup(1)}, alias="x")}), FullPass.OTHER_OBJECTS),
        (replace(MAP, initiators={H: Initiator(chap=Chap("u", "v1:k:x"))}), FullPass.INITIATOR),
        (
            replace(MAP, luns={f"l{number}": lun(number) for number in range(10, 11 + MAX_CHANGED_LUNS)}),
            FullPass.MANY_LUNS,
        ),
    ],
)
def test_what_may_concern_more_needs_a_full_pass(other: Lunmap, reason: FullPass) -> None:
    """Conflicts, broken rules, everything but Luns, and many Luns at once are named as the reason."""
    assert view().delta_to(other) is reason


def test_a_new_size_of_a_device_is_followed() -> None:
    """A partial observation reads the size of the device, which the size of the Lun is compared with."""
    part = view().delta_to(with_lun(replace(lun(1), size=1 << 30), "l1"))
    assert isinstance(part, Delta)
    assert ("storage_object", "l1") in part.keys


def test_the_size_of_a_lun_elsewhere_concerns_no_object() -> None:
    """A node that does not serve a Lun follows its new size by a partial pass without objects."""
    nodes = {**MAP.nodes, "n2": Node(2, ("10.0.0.2:3260",))}
    before = replace(MAP, nodes=nodes)
    wanted = compute_desired(before, {}, "n2", Observed(), VAULT).objects
    elsewhere = DesiredView(before, "n2", VAULT, frozenset(), wanted)
    after = replace(before, luns={**before.luns, "l1": replace(lun(1), size=1 << 30)})
    part = elsewhere.delta_to(after)
    assert isinstance(part, Delta)
    assert part.keys == frozenset()


def test_an_initiator_whose_secret_fails_is_left_to_a_whole_pass() -> None:
    """A new ACL that can't have its credentials has to be reported."""
    strict = {T: replace(MAP.targets[T], authentication=Authentication.CHAP)}
    before = replace(MAP, luns={}, targets=strict, initiators={})
    stranger = Vault("c", Keyring({"01234567": bytes(32)}))
    sealed = stranger.seal(f"initiators/{H}", "chap.password", Secret("a long password"), bytes(12))
    chap = Initiator(chap=Chap("user", sealed))
    assert not broken_documents(replace(before, luns={"new": lun(9)}, initiators={H: chap}))
    assert view(before).delta_to(replace(before, luns={"new": lun(9)}, initiators={H: chap})) is FullPass.CHAP
