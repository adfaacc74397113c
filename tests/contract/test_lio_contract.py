"""The fake of LIO and the kernel answer alike: each test runs on both."""

import pytest

from contract import maps
from contract.maps import (
    ACL,
    CLAIMS,
    ENABLED,
    HOST,
    IQN,
    SIZE,
    TAG,
    TARGET,
    TPG,
    apply,
    converge,
    full,
    observed,
    only,
)
from contract.sides import DEVICE, FOREIGN, Side
from lunmapd.core import lio
from lunmapd.core.lunmap import AluaState
from lunmapd.core.outcome import WAITING, Failure, failures
from lunmapd.core.plan import Action, Step, plan

GLANCED = ("storage_object", "lun", "acl", "mapped_lun")


def _files(side: Side, *names: str) -> None:
    for name in names:
        side.file(f"/srv/{name}", SIZE)


def _try(side: Side, action: Action, item: lio.Object, before: lio.Object | None = None) -> str | None:
    """Do one step outside any plan; return the reason of its failure."""
    (report,) = side.kernel.apply([Step(action, item, "try", before)])
    return report.failure.reason if report.failure else None


def test_a_full_map_is_made_and_seen_as_it_was_meant(side: Side) -> None:
    """One pass over an empty kernel makes every kind of object, and the next look finds nothing to do."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))


def test_a_glance_sees_what_a_look_sees(side: Side) -> None:
    """Some objects are found as in a look at everything, whether they are there, changed, gone, or new."""
    _files(side, "a", "b", "c")
    converge(side, full("a", "b"))
    wanted = full("b", "c")
    concerned = {name: item for name, item in {**full("a"), **full("c")}.items() if name[0] in GLANCED}
    before = side.kernel.observe(frozenset()).objects
    assert side.kernel.glance([before.get(name, item) for name, item in concerned.items()]) == {
        name: before[name] for name in concerned if name in before
    }
    assert not [report for report in side.kernel.apply(plan(wanted, before)) if report.failure]
    found = side.kernel.glance([wanted.get(name, item) for name, item in concerned.items()])
    after = side.kernel.observe(frozenset()).objects
    assert found == {name: after[name] for name in concerned if name in after}
    assert found == {name: wanted[name] for name in concerned if name in wanted}


def test_a_glance_leaves_surprises_to_a_look(side: Side) -> None:
    """Half an object, where one is looked for, is nothing that a glance could tell of."""
    _files(side, "a")
    converge(side, full("a"))
    mapped = maps.mapped("a", 7)
    side.half(mapped)
    assert side.kernel.glance([mapped]) is None


def test_a_target_port_group_is_made_changed_and_removed(side: Side) -> None:
    """State and preference change in place, and a LUN gets a group, or goes back to the kernel's, while it is exported."""
    _files(side, "a")
    converge(side, full("a"))
    for alua in (
        lio.Alua(TAG, AluaState.OPTIMIZED, preferred=True),
        lio.Alua(TAG, AluaState.NON_OPTIMIZED),
        lio.Alua(TAG, AluaState.STANDBY),
        lio.Alua(TAG, AluaState.UNAVAILABLE),
        lio.Alua(TAG, AluaState.OPTIMIZED),
        None,
    ):
        wanted = {**full("a"), **only(*maps.grouped("a", alua))}
        steps = plan(wanted, observed(side))
        assert {step.action for step in steps} == {Action.UPDATE}
        converge(side, wanted)
    converge(side, {**full("a"), **only(*maps.grouped("a", lio.Alua(TAG, AluaState.STANDBY)))})
    converge(side, {})


def test_a_lun_is_never_in_the_wrong_group(side: Side) -> None:
    """A LUN whose group is not there is refused as a whole, and leaves nothing behind."""
    _files(side, "a")
    converge(side, only(maps.storage_object("a"), TARGET, TPG))
    assert _try(side, Action.CREATE, lio.TpgLun(IQN, TAG, "a", TAG)) == "KernelRefused"
    converge(side, only(maps.storage_object("a"), TARGET, TPG))


def test_a_tpg_stands_for_another_node(side: Side) -> None:
    """It is never enabled, has portals that are not of this machine, and is told of by discovery."""
    _files(side, "a")
    attributes = (*TPG.attributes[:-1], ("tpg_enabled_sendtargets", "0"))
    other = (
        lio.Tpg(IQN, TAG + 1, attributes, TPG.parameters),
        lio.Portal(IQN, TAG + 1, "203.0.113.7:3260"),
        lio.Portal(IQN, TAG + 1, "[2001:db8::7]:3260"),
        lio.NodeAcl(IQN, TAG + 1, HOST),
    )
    converge(side, {**full("a"), **only(*other)})
    converge(side, full("a"))


def test_a_backing_that_goes_away_is_told_of(side: Side) -> None:
    """The storage object stays as it is, and the look names it as long as its file or device is not there."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))
    side.missing("/srv/a")
    assert side.kernel.observe(CLAIMS).missing == {"a"}
    assert not plan(full("a", "b"), observed(side))
    side.file("/srv/a", SIZE)
    assert side.kernel.observe(CLAIMS).missing == frozenset()


def test_a_file_shrinks_in_place(side: Side) -> None:
    """Where somebody insisted, the kernel takes a smaller size while the file is exported."""
    side.file("/srv/a", 2 * SIZE)
    converge(side, {**full("a"), **only(maps.storage_object("a", 2 * SIZE))})
    converge(side, full("a"))


def test_everything_is_removed(side: Side) -> None:
    """From a full map to none, one pass leaves nothing of ours."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))
    converge(side, {})


def test_a_block_device_is_exported(side: Side) -> None:
    """A device has its own size, and all else as a file."""
    converge(side, only(maps.block("disk", DEVICE)))


def test_settings_are_changed_in_place(side: Side) -> None:
    """Size, attributes, TPG settings and write protection change without replacing anything."""
    _files(side, "a")
    converge(side, full("a"))
    side.file("/srv/a", 2 * SIZE)
    changed: list[lio.Object] = [
        maps.storage_object("a", 2 * SIZE, shared="1"),
        maps.mapped("a", 0, read_only=True),
    ]
    tpg = lio.Tpg(IQN, TAG, tuple((name, "1") for name, _ in TPG.attributes), TPG.parameters)
    desired = full("a") | only(*changed, tpg)
    assert {step.action for step in plan(desired, observed(side))} == {Action.UPDATE}
    converge(side, desired)


@pytest.mark.parametrize("item", [maps.ramdisk("a"), maps.program("a")], ids=lambda item: item.plugin)
def test_memory_and_programs_are_exported(side: Side, item: lio.StorageObject) -> None:
    """What is neither a device nor a file is made, seen as it was meant, and removed."""
    converge(side, full() | only(item, maps.lun("a"), maps.mapped("a", 0)))
    converge(side, {})


def test_settings_of_the_map_are_set_and_go_back(side: Side) -> None:
    """Attributes that the map sets are changed live; those that it sets no more go back to the kernel's default."""
    _files(side, "a")
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
        assert {step.action for step in plan(desired, observed(side)) if step.item == item} <= {
            Action.UPDATE,
            Action.CREATE,
        }
        converge(side, desired)


def test_what_initiators_have_read_is_set_before_the_export(side: Side) -> None:
    """Vendor, product, block size and the like are there from the start; another value makes the storage object anew."""
    _files(side, "a")
    bare = maps.storage_object("a")
    for item in (
        maps.given(bare, "ACME Co", "A disk of 16 ch.", block_size=4096, emulate_tas=0, queue_depth=8),
        maps.given(bare, "ACME Co", "A disk of 16 ch.", block_size=4096, emulate_tas=0, queue_depth=9),
        maps.given(bare, "ACME Co"),
        bare,
    ):
        steps = plan(full("a") | only(item), observed(side))
        assert Action.UPDATE not in {step.action for step in steps}
        converge(side, full("a") | only(item))


def test_targets_have_the_settings_of_the_map(side: Side) -> None:
    """Attributes and parameters of a TPG change in place, and go back to LIO's own."""
    for attributes, parameters in (
        (
            (("default_cmdsn_depth", "128"), ("login_timeout", "30")),
            (("FirstBurstLength", "1024"), ("ImmediateData", "No")),
        ),
        ((("login_timeout", "20"),), (("DataDigest", "None"), ("MaxBurstLength", "1048576"))),
        ((), ()),
    ):
        tpg = lio.Tpg(IQN, TAG, (*TPG.attributes, *attributes), (*TPG.parameters, *parameters))
        converge(side, full() | only(tpg))


def test_without_rdma_a_portal_listens_all_the_same(side: Side) -> None:
    """Where the kernel can't do iSER that is a failure of the portal, which then serves TCP alone."""
    converge(side, full())
    desired = full() | only(
        lio.Portal(IQN, TAG, maps.PORTAL.address, iser=True), lio.Portal(IQN, TAG, "10.9.8.9:3260", iser=True)
    )
    names = {("portal", IQN, TAG, maps.PORTAL.address), ("portal", IQN, TAG, "10.9.8.9:3260")}
    assert _reasons(failures(apply(side, desired))) == dict.fromkeys(names, "KernelRefused")
    assert observed(side) == full() | only(lio.Portal(IQN, TAG, "10.9.8.9:3260"))


def test_credentials_are_set_changed_and_taken_away(side: Side) -> None:
    """CHAP of an ACL, both ways or one, changes in place; spaces and quotes in a password are kept."""
    converge(side, full())
    for item in (
        maps.secret(ACL),
        maps.secret(ACL, mutual=True, word="p \"'$%\\~ w"),
        maps.secret(ACL, word="x" * 255),
        ACL,
    ):
        steps = plan(full() | only(item), observed(side))
        assert [step.action for step in steps] == [Action.UPDATE]
        converge(side, full() | only(item))
    converge(side, only())
    converge(side, full() | only(maps.secret(ACL, mutual=True)))


def test_discovery_asks_for_credentials_while_claimed(side: Side) -> None:
    """What discovery asks for is made, changed and removed like an object, and seen only by its claim."""
    claims = CLAIMS | {lio.DISCOVERY_CLAIM}
    for credentials in (maps.secret(ACL).credentials, maps.secret(ACL, mutual=True).credentials):
        desired = only(lio.DiscoveryAuth(credentials))
        assert not failures(side.kernel.apply(plan(desired, side.kernel.observe(claims).objects)))
        assert side.kernel.observe(claims).objects == desired
        assert side.kernel.observe(CLAIMS).objects == {}
    assert _try(side, Action.CREATE, lio.DiscoveryAuth()) is None
    assert not failures(side.kernel.apply(plan({}, side.kernel.observe(claims).objects)))
    assert side.kernel.observe(claims).objects == {}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_mapping_has_its_write_protection(side: Side, read_only: bool) -> None:  # noqa: FBT001
    """A new mapping is read-only or not, as desired."""
    _files(side, "a")
    converge(side, full("a") | only(maps.mapped("a", 0, read_only=read_only)))


def test_a_replaced_storage_object_takes_its_dependents_along(side: Side) -> None:
    """A new serial needs a new storage object, so LUN and mapping are made anew, and nothing else is."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))
    converge(side, full("a", "b") | only(maps.storage_object("a", serial="f" * 32)))


def test_mapped_luns_swap_their_numbers(side: Side) -> None:
    """The kernel takes a number again in the same pass that frees it."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))
    converge(side, full("a", "b") | only(maps.mapped("b", 0), maps.mapped("a", 1)))


def test_large_lun_numbers_are_taken(side: Side) -> None:
    """A LUN number may be anything up to 16383."""
    _files(side, "a")
    converge(side, full() | only(maps.storage_object("a"), maps.lun("a"), maps.mapped("a", 16383)))


def test_a_port_id_is_changed_by_closing_the_tpg(side: Side) -> None:
    """The id can't be changed while the TPG is enabled, so the plan disables it in between."""
    converge(side, full())
    converge(side, full() | only(lio.Enabled(IQN, TAG, 9)))


def test_a_port_id_is_taken_once_on_a_node(side: Side) -> None:
    """Two enabled TPGs of one kernel can't have the same relative target port id, whatever their targets are."""
    converge(side, full())
    other = f"{IQN}-2"
    enabled = lio.Enabled(other, TAG, TAG)
    second = only(lio.Target(other), lio.Tpg(other, TAG, TPG.attributes, TPG.parameters), enabled)
    (failure,) = failures(apply(side, full() | second)).values()
    assert (failure.reason, IQN in failure.message) == ("PortIdTaken", True)


def test_names_that_rtslib_would_change_are_kept(side: Side) -> None:
    """Short IQNs and every NAA name are used exactly as written."""
    iqn, initiator = "naa.6001405000000001", "naa.60014050000000000000000000000001"
    short = "iqn.2020-01.local"
    desired = only(
        lio.Target(iqn),
        lio.Tpg(iqn, 1, TPG.attributes, TPG.parameters),
        lio.NodeAcl(iqn, 1, initiator),
        lio.Target(short),
        lio.Tpg(short, 1, TPG.attributes, TPG.parameters),
        lio.NodeAcl(short, 1, short),
    )
    converge(side, desired)


@pytest.mark.parametrize(
    "item",
    [TARGET, TPG, ACL, maps.storage_object("a"), maps.lun("a")],
    ids=lambda item: type(item).__name__,
)
def test_what_is_stood_on_is_not_removed(side: Side, item: lio.Object) -> None:
    """A deletion out of order is refused and changes nothing."""
    _files(side, "a")
    converge(side, full("a"))
    assert _try(side, Action.DELETE, item) == "InUse"
    assert observed(side) == full("a")


@pytest.mark.parametrize("item", full("a").values(), ids=lambda item: type(item).__name__)
def test_nothing_is_made_twice(side: Side, item: lio.Object) -> None:
    """Making what exists is refused and changes nothing."""
    _files(side, "a")
    converge(side, full("a"))
    assert _try(side, Action.CREATE, item) == "KernelRefused"
    assert observed(side) == full("a")


@pytest.mark.parametrize(
    "item",
    [TPG, ENABLED, ACL, maps.PORTAL, maps.lun("a"), maps.mapped("a", 0)],
    ids=lambda item: type(item).__name__,
)
def test_nothing_is_made_without_its_parents(side: Side, item: lio.Object) -> None:
    """An object whose parent is missing is refused."""
    observed(side)
    assert _try(side, Action.CREATE, item) == "KernelRefused"
    assert observed(side) == {}


@pytest.mark.parametrize("item", full("a").values(), ids=lambda item: type(item).__name__)
def test_removing_what_is_gone_is_done(side: Side, item: lio.Object) -> None:
    """A deletion whose object has vanished is no failure."""
    observed(side)
    assert _try(side, Action.DELETE, item) is None


def test_an_enabled_tpg_is_not_removed(side: Side) -> None:
    """Closing a TPG is a step of its own."""
    converge(side, only(TARGET, TPG, ENABLED))
    assert _try(side, Action.DELETE, TPG) == "InUse"


def test_a_number_is_mapped_once(side: Side) -> None:
    """A second mapping under a number that the initiator has is refused."""
    _files(side, "a", "b")
    converge(side, full("a", "b"))
    assert _try(side, Action.CREATE, maps.mapped("b", 0)) == "KernelRefused"


def test_an_unknown_attribute_is_reported(side: Side) -> None:
    """An attribute that this kernel does not have is a condition of its own; no object is left without it, to be made anew at each try."""
    _files(side, "a")
    bad = lio.StorageObject("a", "fileio", "/srv/a", SIZE, "a" * 32, (("emulate_magic", "1"),))
    assert _reasons(failures(apply(side, only(bad)))) == {lio.key(bad): "AttributeUnsupported"}
    assert observed(side) == {}


def test_a_missing_file_stops_only_what_stands_on_it(side: Side) -> None:
    """The other Lun is served; LUN and mapping of the missing one wait; and nobody makes the file."""
    _files(side, "b")
    side.missing("/srv/a")
    reasons = _reasons(failures(apply(side, full("a", "b"))))
    assert reasons == {
        ("storage_object", "a"): "BackingDeviceMissing",
        lio.key(maps.lun("a")): WAITING,
        lio.key(maps.mapped("a", 0)): WAITING,
    }
    assert observed(side) == {name: item for name, item in full("a", "b").items() if lio.lun_of(item) != "a"}
    _files(side, "a")
    converge(side, full("a", "b"))


def test_a_short_file_is_not_exported(side: Side) -> None:
    """A file shorter than the Lun would fail reads past its end, so it is refused; growing it later is refused too."""
    _files(side, "a")
    assert _try(side, Action.CREATE, maps.storage_object("a", SIZE + 512)) == "SizeMismatch"
    converge(side, full("a"))
    assert (
        _try(side, Action.UPDATE, maps.storage_object("a", SIZE + 512), maps.storage_object("a"))
        == "SizeMismatch"
    )


def test_a_device_is_exported_once(side: Side) -> None:
    """A device that something holds is refused."""
    converge(side, only(maps.block("disk", DEVICE)))
    assert _try(side, Action.CREATE, maps.block("again", DEVICE)) == "InUse"


def test_what_others_made_is_left_alone(side: Side) -> None:
    """A target and a storage object of another tool are not among our objects and survive our coming and going."""
    side.make_foreign()
    before = side.foreign()
    _files(side, "a")
    converge(side, full("a"))
    assert FOREIGN in side.kernel.observe(CLAIMS | {FOREIGN}).foreign
    converge(side, {})
    assert side.foreign() == before


def test_an_unmarked_target_is_ours_only_if_claimed(side: Side) -> None:
    """A crash between mkdir and mark leaves an inert target: ours if recorded before, else somebody else's."""
    side.half(TARGET)
    assert side.kernel.observe(frozenset()).foreign == {IQN}
    assert observed(side) == only(TARGET)
    side.half(TPG)
    assert side.kernel.observe(frozenset()).foreign == {IQN}
    assert set(observed(side)) == {lio.key(TARGET), lio.key(TPG)}
    converge(side, full())
    assert side.kernel.observe(frozenset()).objects == full()


@pytest.mark.parametrize("name", ["storage_object", "lun", "mapped_lun"])
def test_halves_are_cleaned_first(side: Side, name: str) -> None:
    """What a crash left half-made is seen as a leftover, removed, and the whole thing is made."""
    _files(side, "a", "b")
    converge(side, full("a"))
    whole: dict[str, lio.Object] = {
        "storage_object": maps.storage_object("b"),
        "lun": maps.lun("b"),
        "mapped_lun": maps.mapped("b", 1),
    }
    side.half(whole[name]) if name == "storage_object" else _half_after(side, whole[name])
    left = [item for item in observed(side).values() if isinstance(item, lio.Leftover)]
    assert len(left) == 1
    converge(side, full("a", "b"))


def _half_after(side: Side, item: lio.Object) -> None:
    """Make all that the object stands on, then half of it."""
    converge(
        side, {name: other for name, other in full("a", "b").items() if name in _below(item)} | full("a")
    )
    side.half(item)


def _below(item: lio.Object) -> set[lio.Key]:
    everything = full("a", "b")
    found = set(lio.parents(item))
    for parent in lio.parents(item):
        found |= _below(everything[parent])
    return found


def test_a_leftover_does_not_block_what_is_below_it(side: Side) -> None:
    """Everything is removed, halves too, in one pass."""
    _files(side, "a", "b")
    converge(side, full("a"))
    _half_after(side, maps.mapped("b", 1))
    converge(side, {})


def test_killed_after_any_step_the_next_map_is_reached(side: Side) -> None:
    """A crash before each step in turn; then one pass reaches a map that is different."""
    _files(side, "a", "b", "c")
    steps = plan(full("a", "b"), {})
    for number, step in enumerate(steps):
        observed(side)
        assert not failures(side.kernel.apply(steps[:number]))
        side.crash_during(step)
        converge(side, full("c", "b"))
        converge(side, {})


def test_what_is_ours_stays_ours(side: Side) -> None:
    """Without any claim, what was made by lunmapd is known by its marks."""
    _files(side, "a")
    converge(side, full("a"))
    side.kernel.close()
    assert side.kernel.observe(frozenset()).objects == full("a")


def test_nobody_is_logged_in(side: Side) -> None:
    """An ACL alone is no session."""
    converge(side, full())
    assert side.kernel.observe(CLAIMS).sessions == ()
    assert HOST in {item.initiator for item in observed(side).values() if isinstance(item, lio.NodeAcl)}


def _reasons(found: dict[lio.Key, Failure]) -> dict[lio.Key, str]:
    return {name: failure.reason for name, failure in found.items()}
