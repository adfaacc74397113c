"""The loop: read the map, make a pass, say how it went; woken by anything, told nothing by the waking."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import structs

from lunmapd import __version__
from lunmapd.agent.bell import Bell
from lunmapd.agent.identity import Identity
from lunmapd.agent.local import Local
from lunmapd.agent.reconcile import Kernel, Orders, Result, reconcile
from lunmapd.agent.report import Turn, first_status, next_status
from lunmapd.core import lio
from lunmapd.core.errors import LunmapdError
from lunmapd.core.outcome import WAITING, Failure
from lunmapd.core.secrets import Keyring, Vault
from lunmapd.core.status import At, Live, NodeStatus
from lunmapd.store.errors import NodeNameTakenError, StoreError
from lunmapd.store.node import register, write_status
from lunmapd.store.read import refresh
from lunmapd.store.session import Session
from lunmapd.store.snapshot import Snapshot
from lunmapd.store.watch import watch_head

log = logging.getLogger(__name__)


class NodeUnknownError(LunmapdError):
    """The map has no node of this name, which may be a typing error as well as a removal: nothing is changed."""


def utc_now() -> str:
    """Return the time as RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Agent:
    """One node's agent. It keeps the last map read, so that it goes on without ZooKeeper, and the last status."""

    def __init__(self, node: str, session: Session, kernel: Kernel, local: Local, identity: Identity) -> None:
        """Bring the parts together; nothing is done before `turn` or `run`."""
        self._node = node
        self._session = session
        self._kernel = kernel
        self._local = local
        self._keys = Keyring()
        self._live = Live(identity.machine, identity.boot, __version__, utc_now())
        self._snapshot: Snapshot | None = None
        self._written: NodeStatus | None = None
        self._complaints: dict[str, str] = {}
        self._failures: dict[lio.Key, Failure] = {}
        self.status = first_status(identity.boot, utc_now())

    def run(
        self,
        bell: Bell,
        stopping: Callable[[], bool],
        said: Callable[[Turn], None],
        waits: tuple[float, float],
    ) -> None:
        """Turn until `stopping`; between turns wait for the bell, at most `waits` seconds (at rest, while failing)."""
        watch_head(self._session, bell.ring)
        rest, retry = waits
        while not stopping():
            turn = self.turn()
            said(turn)
            bell.wait(rest if turn.converged else retry)

    def turn(self) -> Turn:
        """Read, make one pass, report. Whatever lunmapd raises on purpose becomes a condition."""
        self._keys = self._read_keys()
        turn = self._pass(self._read())
        self._report(turn)
        if turn.converged:
            self._complaints.clear()
        return turn

    def _read(self) -> StoreError | None:
        try:
            register(self._session, self._node, self._live)
            self._snapshot = refresh(self._session, self._snapshot)
        except StoreError as error:
            self._complain("the map was not read: %s", error)
            return error
        return None

    def _read_keys(self) -> Keyring:
        """Read the keys; without them the secrets fail one by one, and everything else goes on."""
        try:
            return self._local.keys()
        except LunmapdError as error:
            self._complain("the key file is not used: %s", error)
            return Keyring()

    def _pass(self, store_error: StoreError | None) -> Turn:
        snapshot = self._snapshot
        if snapshot is None or isinstance(store_error, NodeNameTakenError):
            return Turn(store_error=store_error)
        at = At(snapshot.cluster, snapshot.revision, snapshot.digest)
        try:
            return Turn(at, self._reconcile(snapshot), store_error)
        except LunmapdError as error:
            self._complain("no pass was made: %s", error)
            return Turn(at, None, store_error, error)

    def _reconcile(self, snapshot: Snapshot) -> Result:
        if self._node not in snapshot.lunmap.nodes and f"nodes/{self._node}" not in snapshot.unreadable:
            raise NodeUnknownError(
                f"the map has no node {self._node!r}: LIO is left as it is; add the node, or correct 'node' in the settings"
            )
        vault = Vault(snapshot.cluster, self._keys)
        orders = Orders(self._node, snapshot.lunmap, snapshot.unreadable, vault)
        result = reconcile(self._kernel, self._local.claims, orders)
        self._say_failures(result.failures)
        return result

    def _say_failures(self, failures: Mapping[lio.Key, Failure]) -> None:
        """Log what fails once for as long as it fails alike, and that it does no more."""
        causes = {name: failure for name, failure in failures.items() if failure.reason != WAITING}
        for name in self._failures.keys() - causes.keys():
            log.info("%s no longer fails", lio.show_key(name))
        for name, failure in causes.items():
            if self._failures.get(name) != failure:
                log.warning("%s fails: %s: %s", lio.show_key(name), failure.reason, failure.message)
        self._failures = causes

    def _report(self, turn: Turn) -> None:
        self.status = structs.replace(next_status(self.status, turn, utc_now()), keys=self._keys.ids)
        if isinstance(turn.store_error, NodeNameTakenError) or self._is_written():
            return
        try:
            write_status(self._session, self._node, self.status)
            self._written = self.status
        except StoreError as error:
            self._complain("the status was not written: %s", error)

    def _complain(self, what: str, error: LunmapdError) -> None:
        """Log a trouble once for as long as it stays the same."""
        if self._complaints.get(what) != str(error):
            log.warning(what, error)
        self._complaints[what] = str(error)

    def _is_written(self) -> bool:
        """Tell whether the last status written says the same, the time apart."""
        if self._written is None:
            return False
        return structs.replace(self._written, time="") == structs.replace(self.status, time="")
