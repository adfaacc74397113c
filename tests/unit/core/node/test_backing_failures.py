"""The failures of storage objects by the facts about their backings."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Access, Lunmap, Map
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.backing_failures import block_size_problem
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.opening import READ_ONLY, WRITABLE, DeviceAccess
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault
from support.small_map import LUN, MAP, H, T

KEY: lio_objects.Key = ("storage_object", "a")
SIZE = 1 << 20
DEVICE = replace(LUN, backing=Block("/dev/a"), size=None)
READ = replace(DEVICE, maps=(Map(T, 3, H, access=Access.READ_ONLY),))


def map_of(**changes: object) -> Lunmap:
    """Return the map with a Lun `a` that differs from DEVICE."""
    return replace(MAP, luns={"a": replace(DEVICE, **changes)})


def failures(
    lunmap: Lunmap, facts: BackingFacts, access: DeviceAccess = WRITABLE
) -> dict[lio_objects.Key, Failure]:
    """Return the failures with these facts about what the node has exported of the map."""
    objects = project_map(lunmap, "n1")
    item = objects[KEY]
    assert isinstance(item, lio_objects.StorageObject)
    observed = Observed({**objects, KEY: replace(item, access=access)}, backings={"a": facts})
    desire = compute_desired(lunmap, {}, "n1", observed, Vault(""))
    assert plan(desire.objects, observed.objects) == ()
    return dict(desire.failures)


@pytest.mark.parametrize(
    ("facts", "reason", "words"),
    [
        (BackingFacts(), None, ""),
        (BackingFacts(NameState.MISSING), "BackingDeviceMissing", "has vanished"),
        (
            BackingFacts(NameState.MISSING, "253:0", SIZE),
            "BackingDeviceMissing",
            "opened device 253:0 is still there",
        ),
        (BackingFacts(NameState.DANGLING), "BackingDeviceMissing", "is a symlink to nothing"),
        (BackingFacts(NameState.UNANSWERED), "Stuck", "file system does not answer"),
        (BackingFacts(NameState.HANDLER_AWAY), "HandlerAway", "start the handler; LUNs that exist stay"),
        (BackingFacts(NameState.WRONG_KIND, other="no file"), "BackingUnusable", "leads to no file"),
        (BackingFacts(NameState.RETURNED), None, ""),
        (BackingFacts(NameState.REPLACED), None, ""),
        (BackingFacts(size=SIZE), None, ""),
        (BackingFacts(size=SIZE + 512), None, ""),
        (BackingFacts(size=SIZE - 1), "BackingTruncated", f"/srv/a has {SIZE - 1} bytes"),
        (BackingFacts(size=0), "BackingTruncated", "/srv/a is empty"),
        (BackingFacts(read_only=True), "BackingReadOnly", "has become read-only"),
        (BackingFacts(twin="b"), "InUse", "the file of Lun b too"),
        (BackingFacts(size=0, twin="b"), "BackingTruncated", "is empty"),
    ],
)
def test_a_file_is_as_it_was_opened_or_fails(facts: BackingFacts, reason: str | None, words: str) -> None:
    """Each difference has its reason; another file under the name is the plan's concern, not a failure."""
    found = failures(MAP, facts)
    assert [failure.reason for failure in found.values()] == ([reason] if reason else [])
    assert all(words in failure.message for failure in found.values())


@pytest.mark.parametrize(
    ("size", "facts", "reason"),
    [
        (None, BackingFacts(size=SIZE), None),
        (None, BackingFacts(size=SIZE, shrunk_from=2 * SIZE), "SizeMismatch"),
        (SIZE, BackingFacts(size=SIZE, shrunk_from=2 * SIZE), None),
        (SIZE, BackingFacts(size=SIZE - 512), "SizeMismatch"),
        (None, BackingFacts(size=0), "BackingUnusable"),
        (None, BackingFacts(size=0, shrunk_from=SIZE), "BackingUnusable"),
        (SIZE, BackingFacts(), None),
    ],
)
def test_a_device_is_as_large_as_the_map_or_the_export_says(
    size: int | None, facts: BackingFacts, reason: str | None
) -> None:
    """Without a size in the map a device may not be smaller than when it was exported."""
    found = failures(map_of(size=size), facts)
    assert [failure.reason for failure in found.values()] == ([reason] if reason else [])


def test_a_lun_that_is_not_of_the_map_has_no_failure() -> None:
    """Facts about storage objects that are not desired, or of a Lun that is no map's, are no failures."""
    observed = Observed(project_map(MAP, "n1"), backings={"a": BackingFacts(size=0), "b": BackingFacts()})
    assert compute_desired(Lunmap(), {}, "n1", observed, Vault("")).failures == {}


def test_a_block_size_must_fit_the_device() -> None:
    """A multiple of the logical block size that divides the size is right; what is unknown is not judged."""
    item = project_map(map_of(attributes={"block_size": 1024}), "n1")[KEY]
    assert isinstance(item, lio_objects.StorageObject)
    assert block_size_problem(item, 512, SIZE) is None
    assert block_size_problem(item, 0, 0) is None
    assert "/dev/a has logical blocks of 4096 bytes" in (block_size_problem(item, 4096, SIZE) or "")
    assert f"{SIZE + 512} bytes, which is no multiple" in (block_size_problem(item, 512, SIZE + 512) or "")
    assert block_size_problem(replace(item, attributes=()), 4096, SIZE + 512) is None
    for facts in (BackingFacts(size=SIZE, block_size=4096), BackingFacts(size=SIZE + 512, block_size=512)):
        found = failures(map_of(attributes={"block_size": 1024}), facts)
        assert found[KEY].reason == "BlockSizeMismatch"


def test_a_read_only_device_is_right_for_a_lun_that_is_only_read() -> None:
    """Open for reading, it is no failure as long as no map permits writes."""
    lunmap = replace(MAP, luns={"a": READ})
    assert failures(lunmap, BackingFacts(read_only=True), READ_ONLY) == {}
    assert failures(lunmap, BackingFacts(), READ_ONLY) == {}
    assert failures(lunmap, BackingFacts(), WRITABLE) == {}


def test_a_read_only_device_stays_exported_when_a_map_permits_writes() -> None:
    """Nothing is removed and nothing becomes writable until the device does; then it is opened anew."""
    objects = project_map(replace(MAP, luns={"a": READ}), "n1")
    item = objects[KEY]
    assert isinstance(item, lio_objects.StorageObject)
    kernel = {**objects, KEY: replace(item, access=READ_ONLY)}
    observed = Observed(kernel, backings={"a": BackingFacts(read_only=True)})
    desire = compute_desired(map_of(), {}, "n1", observed, Vault(""))
    assert plan(desire.objects, kernel) == ()
    assert desire.failures[KEY].reason == "BackingReadOnly"
    writable = Observed(kernel, backings={"a": BackingFacts()})
    desire = compute_desired(map_of(), {}, "n1", writable, Vault(""))
    assert desire.failures == {}
    steps = plan(desire.objects, kernel)
    assert {str(step.action) for step in steps} == {"create", "delete"}
    assert any("access read-only -> writable" in step.reason for step in steps)
