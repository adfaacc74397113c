"""LIO, the fake one and the kernel's: settings, credentials and flags."""

import pytest
from msgspec import structs

from contract import maps
from contract.implementations import DEVICE, Implementation
from contract.maps import (
    ACL,
    CLAIMS,
    IQN,
    SIZE,
    TAG,
    TPG,
    apply,
    attempt,
    converge,
    files,
    full,
    observed,
    only,
    reasons,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import READ_ONLY_ATTRIBUTES
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import Action, plan


def test_settings_are_changed_in_place(implementation: Implementation) -> None:
    """Size, attributes, TPG settings and write protection change without replacing anything."""
    files(implementation, "a")
    converge(implementation, full("a"))
    implementation.file("/srv/a", 2 * SIZE)
    changed: list[lio_objects.DesiredObject] = [
        maps.storage_object("a", 2 * SIZE, shared="1"),
        maps.mapped("a", 0, read_only=True),
    ]
    tpg = lio_objects.Tpg(IQN, TAG, tuple((name, "1") for name, _ in TPG.attributes), TPG.parameters)
    desired = full("a") | only(*changed, tpg)
    assert {step.action for step in plan(desired, observed(implementation))} == {Action.UPDATE}
    converge(implementation, desired)


def test_settings_of_the_map_are_set_and_go_back(implementation: Implementation) -> None:
    """Attributes of the map are changed live; an attribute that leaves the map gets the kernel's default."""
    files(implementation, "a")
    bare = maps.storage_object("a")
    for item in (
        bare,
        maps.given(bare, emulate_tpu=1),
        maps.given(bare, emulate_rsoc=0, max_write_same_len=64),
        maps.given(bare, emulate_rsoc=0, max_write_same_len=128),
        bare,
        maps.given(bare, emulate_rsoc=1),
    ):
        desired = full("a") | only(item)
        assert {step.action for step in plan(desired, observed(implementation)) if step.item == item} <= {
            Action.UPDATE,
            Action.CREATE,
        }
        converge(implementation, desired)


def test_what_initiators_have_read_is_set_before_the_export(implementation: Implementation) -> None:
    """Vendor, product, block size and the like are set at creation; another value recreates the object."""
    files(implementation, "a")
    bare = maps.storage_object("a")
    for item in (
        maps.given(bare, "ACME Co", "A disk of 16 ch.", block_size=4096, emulate_tas=0, queue_depth=8),
        maps.given(bare, "ACME Co", "A disk of 16 ch.", block_size=4096, emulate_tas=0, queue_depth=9),
        maps.given(bare, "ACME Co"),
        bare,
    ):
        steps = plan(full("a") | only(item), observed(implementation))
        assert Action.UPDATE not in {step.action for step in steps}
        converge(implementation, full("a") | only(item))


def test_targets_have_the_settings_of_the_map(implementation: Implementation) -> None:
    """Attributes and parameters of a TPG change in place, and go back to LIO's own."""
    for attributes, parameters in (
        (
            (("default_cmdsn_depth", "128"), ("login_timeout", "30")),
            (("FirstBurstLength", "1024"), ("ImmediateData", "No")),
        ),
        ((("login_timeout", "20"),), (("DataDigest", "None"), ("MaxBurstLength", "1048576"))),
        ((), ()),
    ):
        tpg = lio_objects.Tpg(IQN, TAG, (*TPG.attributes, *attributes), (*TPG.parameters, *parameters))
        converge(implementation, full() | only(tpg))


def test_without_rdma_a_portal_listens_all_the_same(implementation: Implementation) -> None:
    """Without iSER in the kernel the portal fails, and serves TCP alone."""
    converge(implementation, full())
    desired = full() | only(
        lio_objects.Portal(IQN, TAG, maps.PORTAL.address, iser=True),
        lio_objects.Portal(IQN, TAG, "10.9.8.9:3260", iser=True),
    )
    names = {("portal", IQN, TAG, maps.PORTAL.address), ("portal", IQN, TAG, "10.9.8.9:3260")}
    assert reasons(failures_of(apply(implementation, desired))) == dict.fromkeys(names, "PortalRefused")
    assert observed(implementation) == full() | only(lio_objects.Portal(IQN, TAG, "10.9.8.9:3260"))


def test_credentials_are_set_changed_and_taken_away(implementation: Implementation) -> None:
    """CHAP of an ACL, both ways or one, changes in place; spaces and quotes in a password are kept."""
    converge(implementation, full())
    for item in (
        maps.secret(ACL),
        maps.secret(ACL, mutual=True, word="p \"'$%\\~ w"),
        maps.secret(ACL, word="x" * 255),
        ACL,
    ):
        steps = plan(full() | only(item), observed(implementation))
        assert [step.action for step in steps] == [Action.UPDATE]
        converge(implementation, full() | only(item))
    converge(implementation, only())
    converge(implementation, full() | only(maps.secret(ACL, mutual=True)))


def test_discovery_asks_for_credentials_while_claimed(implementation: Implementation) -> None:
    """Discovery credentials are made, changed and removed like an object, and observed only when claimed."""
    claims = CLAIMS | {lio_objects.DISCOVERY_CLAIM}
    for credentials in (maps.secret(ACL).credentials, maps.secret(ACL, mutual=True).credentials):
        desired = only(lio_objects.DiscoveryAuth(credentials))
        assert not failures_of(
            implementation.kernel.apply(plan(desired, implementation.kernel.observe(claims).objects))
        )
        assert implementation.kernel.observe(claims).objects == desired
        assert implementation.kernel.observe(CLAIMS).objects == {}
    assert attempt(implementation, Action.CREATE, lio_objects.DiscoveryAuth()) is None
    assert not failures_of(
        implementation.kernel.apply(plan({}, implementation.kernel.observe(claims).objects))
    )
    assert implementation.kernel.observe(claims).objects == {}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_mapping_has_its_write_protection(implementation: Implementation, read_only: bool) -> None:  # noqa: FBT001
    """A new mapping is read-only or not, as desired."""
    files(implementation, "a")
    converge(implementation, full("a") | only(maps.mapped("a", 0, read_only=read_only)))


def test_a_port_id_is_changed_by_closing_the_tpg(implementation: Implementation) -> None:
    """The id can't be changed while the TPG is enabled, so the plan disables it in between."""
    converge(implementation, full())
    converge(implementation, full() | only(lio_objects.Enabled(IQN, TAG, 9)))


def test_an_unknown_attribute_is_reported(implementation: Implementation) -> None:
    """An attribute that this kernel lacks is a failure of its own; no pass recreates the object for it."""
    files(implementation, "a")
    bad = lio_objects.StorageObject("a", "fileio", "/srv/a", SIZE, "a" * 32, (("emulate_magic", "1"),))
    assert reasons(failures_of(apply(implementation, only(bad)))) == {
        lio_objects.key_of(bad): "AttributeUnsupported"
    }
    assert observed(implementation) == {}


def test_what_gets_around_a_read_only_map_is_off_and_on_again(implementation: Implementation) -> None:
    """The attributes are set with the Lun or live, and get back the values that the kernel gave."""
    files(implementation, "a")
    device = maps.block("disk", DEVICE)
    for item in (maps.storage_object("a", shared="1"), device):
        converge(implementation, only(item))
        before = implementation.attribute(item.name, "max_write_same_len")
        attributes = {**dict(item.attributes), **READ_ONLY_ATTRIBUTES}
        held = structs.replace(item, attributes=tuple(attributes.items()))
        converge(implementation, only(held))
        assert implementation.attribute(item.name, "max_write_same_len") == "0"
        converge(implementation, only(item))
        assert implementation.attribute(item.name, "max_write_same_len") == before
        converge(implementation, only())
        converge(implementation, only(held))
        assert implementation.attribute(item.name, "emulate_3pc") == "0"
        converge(implementation, only())
