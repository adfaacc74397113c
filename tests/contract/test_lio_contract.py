"""The fake LIO and the kernel: objects are made, changed and removed, and observed as desired."""

import pytest
from msgspec.structs import replace

from contract import maps
from contract.implementations import DEVICE, Implementation
from contract.maps import (
    CLAIMS,
    HOST,
    IQN,
    SIZE,
    TAG,
    TARGET,
    TPG,
    attempt,
    converge,
    files,
    full,
    observed,
    only,
)
from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua, DefaultGroup
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.leases import as_leased
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import Action, plan
from support.floating_map import GOLD, LUN, MIXED
from support.floating_map import T as POOL

GLANCED = ("storage_object", "lun", "acl", "mapped_lun")


def test_a_full_map_is_made_and_seen_as_it_was_meant(implementation: Implementation) -> None:
    """One pass over an empty kernel makes every kind of object, and a second one has nothing to do."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))


def test_a_glance_sees_what_a_look_sees(implementation: Implementation) -> None:
    """A partial observation finds the same objects as a full one, unchanged, changed, gone or new."""
    files(implementation, "a", "b", "c")
    converge(implementation, full("a", "b"))
    wanted = full("b", "c")
    concerned = {name: item for name, item in {**full("a"), **full("c")}.items() if name[0] in GLANCED}
    before = implementation.kernel.observe(frozenset()).objects
    found = implementation.kernel.observe_some([before.get(name, item) for name, item in concerned.items()])
    assert found is not None
    assert found.objects == {name: before[name] for name in concerned if name in before}
    assert found.backings.keys() == {"a"}
    assert not [report for report in implementation.kernel.apply(plan(wanted, before)) if report.failure]
    found = implementation.kernel.observe_some([wanted.get(name, item) for name, item in concerned.items()])
    after = implementation.kernel.observe(frozenset()).objects
    assert found is not None
    assert found.objects == {name: after[name] for name in concerned if name in after}
    assert found.objects == {name: wanted[name] for name in concerned if name in wanted}
    assert found.backings["c"].size == SIZE


def test_a_glance_leaves_surprises_to_a_look(implementation: Implementation) -> None:
    """A leftover in place of an observed object makes a partial observation return None."""
    files(implementation, "a")
    converge(implementation, full("a"))
    mapped = maps.mapped("a", 7)
    implementation.half(mapped)
    assert implementation.kernel.observe_some([mapped]) is None


def test_a_target_port_group_is_made_changed_and_removed(implementation: Implementation) -> None:
    """State and preference change in place; the group of an exported LUN is set and reset in place."""
    files(implementation, "a")
    converge(implementation, full("a"))
    for alua in (
        Alua(TAG, AluaState.OPTIMIZED, preferred=True),
        Alua(TAG, AluaState.NON_OPTIMIZED),
        Alua(TAG, AluaState.STANDBY),
        Alua(TAG, AluaState.UNAVAILABLE),
        Alua(TAG, AluaState.OPTIMIZED),
        None,
    ):
        wanted = {**full("a"), **only(*maps.grouped("a", alua))}
        steps = plan(wanted, observed(implementation))
        assert {step.action for step in steps} == {Action.UPDATE}
        converge(implementation, wanted)
    converge(implementation, {**full("a"), **only(*maps.grouped("a", Alua(TAG, AluaState.STANDBY)))})
    converge(implementation, {})


@pytest.mark.parametrize(
    "group",
    [
        DefaultGroup(AluaState.STANDBY.value),
        DefaultGroup(access_type="Implicit and Explicit"),
        DefaultGroup(AluaState.UNAVAILABLE.value, preferred=True, access_type="None"),
        DefaultGroup(AluaState.NON_OPTIMIZED.value, access_type="Explicit"),
    ],
)
def test_an_altered_default_group_is_seen_and_put_right(
    implementation: Implementation, group: DefaultGroup
) -> None:
    """LIO's own group is as desired once created; another state or access type is repaired in place."""
    files(implementation, "a")
    wanted = full("a") | only(maps.ramdisk("ram"), maps.lun("ram"))
    converge(implementation, wanted)
    for name in ("a", "ram"):
        implementation.alter_default_group(name, group)
        key = ("storage_object", name)
        found = observed(implementation)
        assert found[key] == replace(wanted[key], default_group=group)
        some = implementation.kernel.observe_some([wanted[key]])
        assert some is not None
        assert some.objects == {key: found[key]}
        assert [(step.action, step.item) for step in plan(wanted, found)] == [(Action.UPDATE, wanted[key])]
        converge(implementation, wanted)


def test_a_floating_group_is_complete_before_it_is_enabled(implementation: Implementation) -> None:
    """Its portals have addresses that the node has not; enabling and disabling it are one step each."""
    path = "/srv/a"
    implementation.file(path, SIZE)
    lun = replace(LUN, backing=FileIO(path), size=SIZE)
    group = replace(GOLD, portals=("10.9.8.50:3260", "[fd00::50]:3260"))
    lunmap = replace(
        MIXED, luns={"a": lun}, targets={POOL: replace(MIXED.targets[POOL], floating={"gold": group})}
    )
    whole = project_map(lunmap, "n1", {PORT_ID})
    key = ("enabled", POOL, group.tpg_tag)
    standby = as_leased(whole, frozenset())
    converge(implementation, standby)
    for action, wanted in ((Action.CREATE, whole), (Action.DELETE, standby)):
        steps = plan(wanted, observed(implementation))
        assert [(step.action, step.item) for step in steps] == [(action, whole[key])]
        converge(implementation, wanted)
    converge(implementation, {})


def test_a_lun_is_never_in_the_wrong_group(implementation: Implementation) -> None:
    """A LUN whose group is not there is refused as a whole, and leaves nothing behind."""
    files(implementation, "a")
    converge(implementation, only(maps.storage_object("a"), TARGET, TPG))
    assert attempt(implementation, Action.CREATE, lio_objects.TpgLun(IQN, TAG, "a", TAG)) == "KernelRefused"
    converge(implementation, only(maps.storage_object("a"), TARGET, TPG))


def test_a_tpg_stands_for_another_node(implementation: Implementation) -> None:
    """A TPG of another node is never enabled, has portals of other machines, and is listed by discovery."""
    files(implementation, "a")
    attributes = (*TPG.attributes[:-1], ("tpg_enabled_sendtargets", "0"))
    other = (
        lio_objects.Tpg(IQN, TAG + 1, attributes, TPG.parameters),
        lio_objects.Portal(IQN, TAG + 1, "203.0.113.7:3260"),
        lio_objects.Portal(IQN, TAG + 1, "[2001:db8::7]:3260"),
        lio_objects.NodeAcl(IQN, TAG + 1, HOST),
    )
    converge(implementation, {**full("a"), **only(*other)})
    converge(implementation, full("a"))


def test_a_backing_that_goes_away_is_told_of(implementation: Implementation) -> None:
    """The storage object stays, and each observation names it while its file or device is missing."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))
    implementation.missing("/srv/a")
    assert implementation.kernel.observe(CLAIMS).backings["a"].name == "missing"
    assert not plan(full("a", "b"), observed(implementation))
    implementation.file("/srv/a", SIZE)
    assert implementation.kernel.observe(CLAIMS).backings["a"].name == "same"


def test_a_file_shrinks_in_place(implementation: Implementation) -> None:
    """With permission to shrink, the kernel takes a smaller size while the file is exported."""
    implementation.file("/srv/a", 2 * SIZE)
    converge(implementation, {**full("a"), **only(maps.storage_object("a", 2 * SIZE))})
    converge(implementation, full("a"))


def test_the_longest_names_of_backings_are_kept_whole(implementation: Implementation) -> None:
    """The kernel keeps a path, and a tcmu configuration, of 255 bytes in letters of several bytes."""
    path, config = (text + "\u00e9" * 125 for text in ("/srv/", "none/"))
    assert [len(text.encode()) for text in (path, config)] == [255, 255]
    implementation.file(path, SIZE)
    item = replace(maps.storage_object("a"), path=path)
    converge(implementation, full() | only(item, maps.lun("a"), maps.mapped("a", 0)))
    converge(implementation, only(maps.program("b", config)))


def test_everything_is_removed(implementation: Implementation) -> None:
    """From a full map to none, one pass leaves nothing of ours."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))
    converge(implementation, {})


def test_a_block_device_is_exported(implementation: Implementation) -> None:
    """A device has its own size, and all else as a file."""
    converge(implementation, only(maps.block("disk", DEVICE)))


def test_memory_is_exported(implementation: Implementation) -> None:
    """A backing without device or file is made, observed as desired, and removed."""
    converge(implementation, full() | only(maps.ramdisk("a"), maps.lun("a"), maps.mapped("a", 0)))
    converge(implementation, {})


def test_a_program_is_exported_only_with_its_handler(implementation: Implementation) -> None:
    """No LUN and no mapped LUN is made while no process has its device open; those that exist stay."""
    implementation.abandon("a")
    item, lun, mapped = maps.program("a"), maps.lun("a"), maps.mapped("a", 0)
    converge(implementation, full() | only(item))
    assert implementation.kernel.observe(CLAIMS).backings["a"].name == "handler-away"
    assert attempt(implementation, Action.CREATE, lun) == "HandlerAway"
    assert implementation.kernel.observe_some([item]) is None
    implementation.handle("a")
    converge(implementation, full() | only(item, lun, mapped))
    assert implementation.kernel.observe(CLAIMS).backings == {}
    implementation.abandon("a")
    assert implementation.kernel.observe(CLAIMS).backings["a"].name == "handler-away"
    assert attempt(implementation, Action.CREATE, maps.mapped("a", 1)) == "HandlerAway"
    assert observed(implementation) == full() | only(item, lun, mapped)
    converge(implementation, {})


def test_a_replaced_storage_object_takes_its_dependents_along(implementation: Implementation) -> None:
    """A new serial needs a new storage object, so LUN and mapping are made anew, and nothing else is."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))
    converge(implementation, full("a", "b") | only(maps.storage_object("a", serial="f" * 32)))


def test_mapped_luns_swap_their_numbers(implementation: Implementation) -> None:
    """The kernel takes a number again in the same pass that frees it."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))
    converge(implementation, full("a", "b") | only(maps.mapped("b", 0), maps.mapped("a", 1)))


def test_large_lun_numbers_are_taken(implementation: Implementation) -> None:
    """A LUN number may be anything up to 16383."""
    files(implementation, "a")
    converge(implementation, full() | only(maps.storage_object("a"), maps.lun("a"), maps.mapped("a", 16383)))


def test_names_that_rtslib_would_change_are_kept(implementation: Implementation) -> None:
    """Short IQNs and every NAA name are used exactly as written."""
    iqn, initiator = "naa.6001405000000001", "naa.60014050000000000000000000000001"
    short = "iqn.2020-01.local"
    desired = only(
        lio_objects.Target(iqn),
        lio_objects.Tpg(iqn, 1, TPG.attributes, TPG.parameters),
        lio_objects.NodeAcl(iqn, 1, initiator),
        lio_objects.Target(short),
        lio_objects.Tpg(short, 1, TPG.attributes, TPG.parameters),
        lio_objects.NodeAcl(short, 1, short),
    )
    converge(implementation, desired)


def test_nobody_is_logged_in(implementation: Implementation) -> None:
    """An ACL alone is no session."""
    converge(implementation, full())
    assert implementation.kernel.observe(CLAIMS).sessions == ()
    assert HOST in {
        item.initiator for item in observed(implementation).values() if isinstance(item, lio_objects.NodeAcl)
    }
