"""A strict LIO in memory: it refuses the same steps as the kernel, which tests/contract checks."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from lunmapd.core.base.attributes import STORAGE, TPG
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.backing_failures import block_size_problem
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import MARK, PORT_ID, TPG_ATTRIBUTES
from lunmapd.core.node.observed import (
    LOGGED_IN,
    AclLuns,
    HostCommands,
    IscsiSession,
    LoginCounters,
    Observed,
    SessionCounters,
)
from lunmapd.core.node.opening import READ_ONLY, WRITABLE, Opened, OpenMode
from lunmapd.core.node.reservations import NO_RESERVATION_FILES
from lunmapd.core.planning.outcome import FailureTracker, StepOutcome
from lunmapd.core.planning.plan import Action, Step, objects_after

_FRESH_ATTRIBUTES = {
    "authentication": "0", "cache_dynamic_acls": "0", "demo_mode_discovery": "1", "demo_mode_write_protect": "1",
    "generate_node_acls": "0", "prod_mode_write_protect": "0", "tpg_enabled_sendtargets": "1",
}  # fmt: skip


_OPENED = {
    NameState.RETURNED: Opened.GONE,
    NameState.REPLACED: Opened.OTHER,
}


class OpenedPath(NamedTuple):
    """What a storage object has opened: its identity, and its size in bytes then (0: unknown)."""

    identity: str
    size: int


class CrashedError(BaseException):
    """The daemon was killed in the middle of a plan: the step in progress is half done."""


class FakeLio:
    """The methods of `lunmapd.lio.worker.kernel.Kernel`, without a kernel.

    Tests set its public attributes. Those of backings are by path: `missing` ones lead to nothing,
    `identities` name what the others lead to, by default themselves. Devices with an identity in `gone` don't
    exist any more. `unhandled` names the `user` storage objects without a handler. `commands` maps target,
    initiator and LUN number to the commands that were sent; the targets and initiators in `in_flight` have
    some without an answer.
    """

    def __init__(self, features: AbstractSet[str] = frozenset({PORT_ID})) -> None:
        """Start with nothing configured."""
        self.features = features
        self.objects: dict[lio_objects.Key, lio_objects.Object] = {}
        self.foreign: set[str] = set()
        self.sessions: tuple[IscsiSession, ...] = ()
        self.missing: set[str] = set()
        self.unhandled: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.block_sizes: dict[str, int] = {}
        self.devices: dict[str, str] = {}
        self.read_only: set[str] = set()
        self.identities: dict[str, str] = {}
        self.gone: set[str] = set()
        self.opened: dict[str, OpenedPath] = {}
        self.reservations = NO_RESERVATION_FILES
        self.login_counters: tuple[LoginCounters, ...] = ()
        self.misspelled: set[str] = set()
        self.failures: dict[lio_objects.Key, Failure] = {}
        self.commands: dict[tuple[str, str, int], int] = {}
        self.in_flight: set[tuple[str, str]] = set()
        self.crash_after: int | None = None
        self.bug: Exception | None = None
        self.done: list[Step] = []
        self.closed = False
        self.looks = 0
        self._numbers = count()
        self._counters: dict[str, SessionCounters] = {}

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe, by the rules of lunmapd.lio.observe.observe."""
        self.looks += 1
        if self.bug is not None:
            raise type(self.bug)(*self.bug.args)
        ours = {iqn for iqn in self._targets() if self._is_ours(iqn, claims)}
        hidden = set() if lio_objects.DISCOVERY_CLAIM in claims else {lio_objects.DISCOVERY_AUTH}
        objects = {
            name: item
            for name, item in self.objects.items()
            if getattr(item, "iqn", None) in {None, *ours} and name not in hidden
        }
        found = {item.name: item for item in objects.values() if isinstance(item, lio_objects.StorageObject)}
        backings = {name: self._facts(item) for name, item in found.items() if PLUGINS[item.plugin].on_path}
        backings |= dict.fromkeys(self.unhandled & found.keys(), BackingFacts(NameState.HANDLER_AWAY))
        for name, facts in backings.items():
            opened = _OPENED.get(facts.name, Opened.CURRENT)
            objects["storage_object", name] = replace(found[name], opened=opened)
        foreign = self.foreign | self._targets() - ours
        counters = {iqn: self._counted(iqn) for iqn in ours}
        return Observed(
            objects,
            foreign,
            self.features,
            self.sessions,
            backings,
            self.reservations,
            self.login_counters,
            frozenset(self.misspelled),
            counters,
        )

    def _facts(self, item: lio_objects.StorageObject) -> BackingFacts:
        opened, there = self.opened.get(item.name), self._identity(item.path)
        if item.path in self.missing:
            return BackingFacts(NameState.MISSING)
        if opened is not None and opened.identity != there:
            return BackingFacts(NameState.RETURNED if opened.identity in self.gone else NameState.REPLACED)
        size = self.sizes.get(item.path)
        shrunk = opened is not None and size is not None and item.plugin == "iblock" and size < opened.size
        twins = [
            other
            for other, its in self.opened.items()
            if item.plugin == "fileio" and its.identity == there and ("storage_object", other) in self.objects
        ]
        return BackingFacts(
            device=self.devices.get(item.path, ""),
            size=size,
            block_size=self.block_sizes.get(item.path, 0),
            read_only=item.path in self.read_only,
            shrunk_from=opened.size if shrunk and opened is not None else 0,
            twin=twins[0] if twins and twins[0] != item.name else "",
        )

    def _identity(self, path: str) -> str:
        return self.identities.get(path, path)

    def log_in(self, iqn: str, initiator: str, isid: str = "1", tag: int = 1) -> None:
        """Let an initiator log in; a session of the same TPG with the same ISID ends without a logout.

        The kernel looks for it in that TPG alone (iscsi_check_for_session_reinstatement in
        drivers/target/iscsi/iscsi_target_login.c).
        """
        self._end((iqn, initiator, isid), {tag})
        before = self._counted(iqn)
        self._counters[iqn] = replace(before, accepts=before.accepts + 1)
        number = next(self._numbers) + 1
        new = IscsiSession(iqn, tag, initiator, LOGGED_IN, "", isid, number, is_steady=True)
        self.sessions = (*self.sessions, new)

    def drop(self, iqn: str, initiator: str, isid: str = "1") -> bool:
        """End the sessions of all TPGs as broken connections do; return whether there was one."""
        return self._end((iqn, initiator, isid), {each.tag for each in self.sessions})

    def _end(self, which: tuple[str, str, str], tags: AbstractSet[int]) -> bool:
        """End the sessions by target, initiator and ISID in TPGs with these tags."""
        ended = {
            each
            for each in self.sessions
            if each.tag in tags and (each.iqn, each.initiator, each.isid) == which
        }
        self.sessions = tuple(each for each in self.sessions if each not in ended)
        return bool(ended)

    def log_out(self, iqn: str, initiator: str, isid: str = "1") -> None:
        """End a session by a request of the initiator."""
        if self.drop(iqn, initiator, isid):
            before = self._counted(iqn)
            self._counters[iqn] = replace(before, normal_logouts=before.normal_logouts + 1)

    def _counted(self, iqn: str) -> SessionCounters:
        """Return the counters of a target, which begin with the target."""
        if iqn not in self._counters:
            self._counters[iqn] = SessionCounters(next(self._numbers))
        sessions = sum(each.iqn == iqn for each in self.sessions)
        return replace(self._counters[iqn], sessions=sessions)

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Observe some objects, like the kernel's method."""
        # Without a step of Python for each object, since the bench counts on a kernel that costs nothing.
        if lio_objects.Leftover in map(type, self.objects.values()):
            return None
        named = [self.objects.get(lio_objects.key_of(item)) for item in items]
        on_path = [
            item
            for item in named
            if isinstance(item, lio_objects.StorageObject) and PLUGINS[item.plugin].on_path
        ]
        backings = {item.name: self._facts(item) for item in on_path}
        if any(item.name in self.unhandled for item in named if isinstance(item, lio_objects.StorageObject)):
            return None
        if any(facts.name is not NameState.SAME for facts in backings.values()):
            return None
        names = map(lio_objects.key_of, items)
        objects = {name: self.objects[name] for name in names if name in self.objects}
        return Observed(objects, backings=backings)

    def apply(self, steps: Iterable[Step]) -> Iterator[StepOutcome]:
        """Do the steps; see Kernel.apply. Raises CrashedError when `crash_after` steps were begun."""
        ledger = FailureTracker()
        for step in steps:
            failure = ledger.waits(step) or self._do(step)
            if failure is not None:
                ledger.record(step)
            yield StepOutcome(step, failure)

    def count_commands(self, acls: Iterable[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands that a test gave to mapped LUNs, like the kernel's method."""
        return tuple(
            HostCommands(
                acl.iqn,
                acl.tag,
                acl.initiator,
                tuple(
                    (number, self.commands.get((acl.iqn, acl.initiator, number), 0))
                    for number in acl.luns
                    if ("mapped_lun", acl.iqn, acl.tag, acl.initiator, number) in self.objects
                ),
                (acl.iqn, acl.initiator) in self.in_flight,
            )
            for acl in acls
        )

    def close(self) -> None:
        """Note that it was closed; the configuration stays."""
        self.closed = True

    def _do(self, step: Step) -> Failure | None:
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after < 0:
                self.crash_after = None
                self._leave_half(step)
                raise CrashedError(str(step))
        failure = self.failures.get(lio_objects.key_of(step.item)) or self._refusal(step)
        if failure is None and not self._is_gone(step):
            self.objects = objects_after(self.objects, [step])
            self._open(step)
            self._take_state(step)
            self._release(step)
            if step.action is Action.DELETE and isinstance(step.item, lio_objects.Target):
                self._counters.pop(step.item.iqn, None)
            self.done.append(step)
        return failure

    def _open(self, step: Step) -> None:
        """Record what a new storage object has opened, and whether for writing."""
        item = step.item
        if not isinstance(item, lio_objects.StorageObject):
            return
        if step.action is Action.DELETE:
            self.opened.pop(item.name, None)
        elif step.action is Action.CREATE:
            self.opened[item.name] = OpenedPath(self._identity(item.path), self.sizes.get(item.path, 0))
            reads = item.plugin == "iblock" and item.path in self.read_only
            access = READ_ONLY if reads else WRITABLE
            self.objects[lio_objects.key_of(item)] = replace(item, access=access)

    def _take_state(self, step: Step) -> None:
        """Give a leased target port group the state that it has, or the one it begins with."""
        key = lio_objects.key_of(step.item)
        item, before = self.objects.get(key), step.before
        if not isinstance(item, lio_objects.StorageObject) or item.alua is None or not item.alua.leased:
            return
        was = before.alua if isinstance(before, lio_objects.StorageObject) else None
        kept = was is not None and (was.id, was.state) == (item.alua.id, "optimized")
        state = "optimized" if kept else item.alua.state
        self.objects[key] = replace(item, alua=replace(item.alua, state=state, leased=False))

    def _release(self, step: Step) -> None:
        """Let the LUNs of a target port group that is gone fall back to the kernel's own."""
        if isinstance(step.item, lio_objects.StorageObject) and step.item.alua is None:
            for name, item in self.objects.items():
                if isinstance(item, lio_objects.TpgLun) and item.storage_object == step.item.name:
                    self.objects[name] = replace(item, group=0)

    def _is_gone(self, step: Step) -> bool:
        return step.action is Action.DELETE and lio_objects.key_of(step.item) not in self.objects

    def _refusal(self, step: Step) -> Failure | None:
        exists = lio_objects.key_of(step.item) in self.objects
        match step.action:
            case Action.DELETE:
                used = exists and any(self._dependents(step.item))
                return Failure(Reason.IN_USE, f"{step}: Device or resource busy") if used else None
            case Action.CREATE if exists and not isinstance(step.item, lio_objects.DiscoveryAuth):
                return Failure(Reason.KERNEL_REFUSED, f"{step}: File exists")
            case Action.UPDATE if not exists:
                return Failure(Reason.KERNEL_REFUSED, f"{step}: No such file or directory")
            case _:
                return self._bad_item(step)

    def _bad_item(self, step: Step) -> Failure | None:
        item = step.item
        if any(parent not in self.objects for parent in lio_objects.parents_of(item)):
            return Failure(Reason.KERNEL_REFUSED, f"{step}: No such file or directory")
        unknown = [name for name, _ in getattr(item, "attributes", ()) if name not in _known_attributes(item)]
        if isinstance(item, lio_objects.StorageObject) and (bad := self._bad_backing(item, step)):
            return bad
        if isinstance(item, lio_objects.TpgLun | lio_objects.MappedLun) and (
            bad := self._bad_lun(item, step)
        ):
            return bad
        if unknown:
            return Failure(Reason.ATTRIBUTE_UNSUPPORTED, f"this kernel has no {unknown[0]}")
        if isinstance(item, lio_objects.Enabled) and (refused := self._bad_port_id(item, step)):
            return refused
        return self._bad_portal(item) if isinstance(item, lio_objects.Portal) and item.iser else None

    def _bad_lun(self, item: lio_objects.TpgLun | lio_objects.MappedLun, step: Step) -> Failure | None:
        if item.storage_object in self.unhandled:
            return Failure(Reason.HANDLER_AWAY, f"{item.storage_object} has no handler")
        if isinstance(item, lio_objects.TpgLun) and item.group and not self._has_group(item):
            return Failure(Reason.KERNEL_REFUSED, f"{step}: No such device")
        return None

    def _bad_portal(self, item: lio_objects.Portal) -> Failure:
        """Refuse iSER as a kernel without RDMA does: the portal is made, and can't listen for it."""
        self.objects.setdefault(
            lio_objects.key_of(item), lio_objects.Portal(item.iqn, item.tag, item.address)
        )
        return Failure(Reason.PORTAL_REFUSED, "this node has no RDMA device")

    def _has_group(self, item: lio_objects.TpgLun) -> bool:
        backing = self.objects["storage_object", item.storage_object]
        return isinstance(backing, lio_objects.StorageObject) and backing.alua is not None

    def _bad_backing(self, item: lio_objects.StorageObject, step: Step) -> Failure | None:
        if isinstance(step.before, lio_objects.StorageObject) and step.before.size == item.size:
            return None
        if item.path in self.missing:
            return Failure(Reason.BACKING_MISSING, f"{item.path} does not exist on this node")
        size = max(item.size, item.declared.size)
        if item.plugin == "iblock" and self.sizes.get(item.path) == 0:
            return Failure(Reason.BACKING_UNUSABLE, f"{item.path} is empty")
        if size > self.sizes.get(item.path, size):
            return Failure(Reason.SIZE_MISMATCH, f"{item.path} is too short")
        return self._bad_opening(item)

    def _bad_opening(self, item: lio_objects.StorageObject) -> Failure | None:
        size = 0 if item.size else self.sizes.get(item.path, 0)
        if sentence := block_size_problem(item, self.block_sizes.get(item.path, 0), size):
            return Failure(Reason.BLOCK_SIZE_MISMATCH, sentence)
        may_read = item.plugin == "iblock" and item.access.mode is not OpenMode.WRITABLE
        if item.path in self.read_only and not may_read:
            return Failure(Reason.BACKING_READ_ONLY, f"{item.path} is read-only")
        identity = self._identity(item.path)
        taken = any(opened.identity == identity for name, opened in self.opened.items() if name != item.name)
        if item.plugin in {"iblock", "fileio"} and taken:
            return Failure(Reason.IN_USE, f"{item.path} is held")
        return None

    def _bad_port_id(self, item: lio_objects.Enabled, step: Step) -> Failure | None:
        if item.port_id and PORT_ID not in self.features:
            return Failure(Reason.KERNEL_REFUSED, f"{step}: Invalid argument")
        others = (other for other in self.objects.values() if isinstance(other, lio_objects.Enabled))
        owner = next((other.iqn for other in others if item.port_id and other.port_id == item.port_id), None)
        return (
            None
            if owner is None
            else Failure(Reason.PORT_ID_TAKEN, f"port id {item.port_id} is that of {owner}")
        )

    def _dependents(self, item: lio_objects.Object) -> Iterator[lio_objects.Object]:
        """Yield the objects that the kernel counts as children or users."""
        name, inside = lio_objects.key_of(item), directory_of(item)
        for other in self.objects.values():
            within = (
                isinstance(other, lio_objects.Leftover)
                and inside is not None
                and other.path.startswith(f"{inside}/")
            )
            if within or name in lio_objects.parents_of(other):
                yield other

    def _targets(self) -> set[str]:
        return {item.iqn for item in self.objects.values() if isinstance(item, lio_objects.Target)}

    def _is_ours(self, iqn: str, claims: AbstractSet[str]) -> bool:
        tpgs = [
            item for item in self.objects.values() if isinstance(item, lio_objects.Tpg) and item.iqn == iqn
        ]
        marked = any(_is_marked(tpg) for tpg in tpgs)
        return marked or (iqn in claims and not any(any(self._dependents(tpg)) for tpg in tpgs))

    def _shows(self, item: lio_objects.Object, ours: AbstractSet[str], claims: AbstractSet[str]) -> bool:
        if isinstance(item, lio_objects.Tpg) and not _is_marked(item) and item.iqn not in claims:
            return False
        return getattr(item, "iqn", None) in {None, *ours}

    def _leave_half(self, step: Step) -> None:
        """Leave the leftover of a kill between two system calls of the step."""
        if self._refusal(step) is not None or self._is_gone(step):
            return
        half = _half(step, next(self._numbers))
        if half is None:
            return
        if step.action is Action.DELETE:
            del self.objects[lio_objects.key_of(step.item)]
            self._open(step)
        self.objects[lio_objects.key_of(half)] = half


def _is_marked(tpg: lio_objects.Tpg) -> bool:
    return ("TargetAlias", MARK) in tpg.parameters


def _known_attributes(item: lio_objects.Object) -> Iterable[str]:
    if isinstance(item, lio_objects.StorageObject):
        return (
            *PLUGINS[item.plugin].governed,
            *(name for plugin, name in STORAGE if plugin == item.plugin),
        )
    return (*(name for name, _ in TPG_ATTRIBUTES), *TPG)


def directory_of(item: lio_objects.Object) -> str | None:
    """Return the directory in configfs of an object that has others in it, None for the rest."""
    match item:
        case lio_objects.Target():
            return f"iscsi/{item.iqn}"
        case lio_objects.Tpg():
            return f"iscsi/{item.iqn}/tpgt_{item.tag}"
        case lio_objects.NodeAcl():
            return f"iscsi/{item.iqn}/tpgt_{item.tag}/acls/{item.initiator}"
        case _:
            return None


def _half(step: Step, number: int) -> lio_objects.Object | None:
    """Return half of the object, None where the step is a single system call."""
    match step.item:
        case lio_objects.StorageObject() as item if step.action is not Action.UPDATE:
            return lio_objects.Leftover("hba", f"core/{item.plugin}_{10_000 + number}")
        case lio_objects.TpgLun() as item:
            return lio_objects.Leftover("lun", f"iscsi/{item.iqn}/tpgt_{item.tag}/lun/lun_{1000 + number}")
        case lio_objects.MappedLun() as item if step.action is not Action.UPDATE:
            path = f"iscsi/{item.iqn}/tpgt_{item.tag}/acls/{item.initiator}/lun_{item.lun}"
            return lio_objects.Leftover("mapped_lun", path)
        case lio_objects.Target() as item if step.action is Action.CREATE:
            return item
        case lio_objects.Tpg() as item if step.action is Action.CREATE:
            return _fresh(item)
        case _:
            return None


def _fresh(item: lio_objects.Tpg) -> lio_objects.Tpg:
    """Return the TPG as mkdir leaves it, without the mark."""
    return lio_objects.Tpg(
        item.iqn, item.tag, tuple(_FRESH_ATTRIBUTES.items()), (("TargetAlias", "LIO Target"),)
    )
