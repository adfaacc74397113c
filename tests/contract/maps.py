"""Desired objects to apply to LIO, and the ways to apply them."""

from msgspec import structs

from contract.implementations import Implementation
from lab import Initiator, Machine, wait_for
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.core.node.opening import DeclaredSize
from lunmapd.core.planning.outcome import StepOutcome, failures_of
from lunmapd.core.planning.plan import Action, Step, plan

IQN = "iqn.2020-01.org.example:disks"
HOST = "iqn.2020-01.org.example:host"
TAG = 3
SIZE = 1 << 20
CLAIMS = frozenset({IQN})
TARGET = lio_objects.Target(IQN)
TPG = lio_objects.Tpg(IQN, TAG, TPG_ATTRIBUTES, TPG_PARAMETERS)
ENABLED = lio_objects.Enabled(IQN, TAG, TAG)
ACL = lio_objects.NodeAcl(IQN, TAG, HOST)
PORTAL = lio_objects.Portal(IQN, TAG, "10.9.8.7:3260")
SLOW = "/dev/mapper/slow"
PORTAL6 = lio_objects.Portal(IQN, TAG, "[fd00::7]:3261")


def storage_object(
    name: str, size: int = SIZE, serial: str = "", shared: str = "0"
) -> lio_objects.StorageObject:
    """Return a file-backed storage object, whose file is /srv/<name>."""
    attributes = dict.fromkeys(PLUGINS["fileio"].governed, shared) | {"emulate_write_cache": "0"}
    own = name.encode().hex().ljust(32, "0")
    return lio_objects.StorageObject(
        name, "fileio", f"/srv/{name}", size, serial or own, tuple(attributes.items())
    )


def block(name: str, path: str, declared: int = 0) -> lio_objects.StorageObject:
    """Return a storage object on a device, which needs at least `declared` bytes."""
    attributes = tuple((attribute, "1") for attribute in PLUGINS["iblock"].governed)
    item = lio_objects.StorageObject(name, "iblock", path, 0, name.encode().hex().ljust(32, "0"), attributes)
    return structs.replace(item, declared=DeclaredSize(declared))


def scsi(name: str, path: str) -> lio_objects.StorageObject:
    """Return a storage object that passes a SCSI device through."""
    return lio_objects.StorageObject(
        name, "pscsi", path, 0, name.encode().hex().ljust(32, "0"), (("emulate_pr", "0"),)
    )


def ramdisk(name: str, size: int = SIZE) -> lio_objects.StorageObject:
    """Return a storage object in memory."""
    attributes = tuple((attribute, "1") for attribute in PLUGINS["rd_mcp"].governed)
    return lio_objects.StorageObject(name, "rd_mcp", "", size, name.encode().hex().ljust(32, "0"), attributes)


def program(name: str, config: str = "none/such") -> lio_objects.StorageObject:
    """Return a storage object of a tcmu program, which need not exist."""
    attributes = tuple((attribute, "0") for attribute in PLUGINS["user"].governed)
    return lio_objects.StorageObject(
        name, "user", config, SIZE, name.encode().hex().ljust(32, "0"), attributes
    )


def given(
    item: lio_objects.StorageObject, vendor: str = "", product: str = "", **attributes: int
) -> lio_objects.StorageObject:
    """Return the storage object with settings of the map."""
    more = tuple((name, str(value)) for name, value in sorted(attributes.items()))
    return structs.replace(item, attributes=(*item.attributes, *more), vendor=vendor, product=product)


def lun(name: str) -> lio_objects.TpgLun:
    """Return a LUN of the one TPG."""
    return lio_objects.TpgLun(IQN, TAG, name)


def grouped(name: str, alua: Alua | None) -> tuple[lio_objects.StorageObject, lio_objects.TpgLun]:
    """Return a storage object with its target port group, and its LUN."""
    group = 0 if alua is None else alua.id
    return structs.replace(storage_object(name), alua=alua), structs.replace(lun(name), group=group)


def mapped(
    name: str, number: int, initiator: str = HOST, *, read_only: bool = False
) -> lio_objects.MappedLun:
    """Return a LUN as the host sees it."""
    return lio_objects.MappedLun(IQN, TAG, initiator, number, name, read_only)


def secret(
    item: lio_objects.NodeAcl, *, mutual: bool = False, word: str = "a password"
) -> lio_objects.NodeAcl:
    """Return the ACL with CHAP credentials, with `mutual` also those of the target."""
    answer = ("san", Secret("the answer of it")) if mutual else ()
    return structs.replace(item, credentials=lio_objects.ChapCredentials("bob", Secret(word), *answer))


def only(*items: lio_objects.DesiredObject) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return these objects by their keys."""
    return lio_objects.by_key(items)


def full(*names: str) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return a whole target with the named LUNs, mapped in this order."""
    objects: list[lio_objects.DesiredObject] = [TARGET, TPG, ACL, PORTAL, PORTAL6, ENABLED]
    for number, name in enumerate(names):
        objects += [storage_object(name), lun(name), mapped(name, number)]
    return lio_objects.by_key(objects)


def served(
    address: str, *items: lio_objects.DesiredObject
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return a whole target that listens on a node's own address."""
    whole = {name: item for name, item in full().items() if not isinstance(item, lio_objects.Portal)}
    return whole | only(lio_objects.Portal(IQN, TAG, f"{address}:3260"), *items)


def observed(implementation: Implementation) -> lio_objects.Objects:
    """Return the objects that are observed."""
    return implementation.kernel.observe(CLAIMS).objects


def apply(implementation: Implementation, desired: lio_objects.DesiredObjects) -> list[StepOutcome]:
    """Do one pass; return all reports."""
    return list(implementation.kernel.apply(plan(desired, observed(implementation))))


def converge(implementation: Implementation, desired: lio_objects.DesiredObjects) -> None:
    """Do one pass that must not fail, and must leave nothing to do."""
    failed = failures_of(apply(implementation, desired))
    assert not failed, failed
    left = plan(desired, observed(implementation))
    assert not left, left


def files(implementation: Implementation, *names: str) -> None:
    """Make the backing files of these storage objects."""
    for name in names:
        implementation.file(f"/srv/{name}", SIZE)


def attempt(
    implementation: Implementation,
    action: Action,
    item: lio_objects.DesiredObject,
    before: lio_objects.DesiredObject | None = None,
) -> str | None:
    """Do one step outside any plan; return the reason of its failure."""
    (report,) = implementation.kernel.apply([Step(action, item, "try", before)])
    return report.failure.reason if report.failure else None


def reasons(found: dict[lio_objects.Key, Failure]) -> dict[lio_objects.Key, str]:
    """Return the reason of each failure."""
    return {name: failure.reason for name, failure in found.items()}


def log_out(node: Machine, initiator: Initiator) -> None:
    """Log out everywhere, and wait until the node's kernel has closed all sessions.

    The kernel closes them some time after the logout, and waits for ever for one whose TPG is disabled
    meanwhile.
    """
    initiator.machine.run("multipath -F; iscsiadm -m node -u; iscsiadm -m node -o delete", check=False)
    told = "cat /sys/kernel/config/target/iscsi/iqn*/tpgt_*/acls/*/info 2>/dev/null || true"
    wait_for("closed sessions", lambda: node.run(told).stdout, lambda text: "InitiatorName" not in text)
