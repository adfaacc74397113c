"""The fake LIO of the fuzz layer."""

import random

from fakes.lio import CrashedError, FakeLio
from fakes.lio_tree import FakeTree
from fuzz.documents import HOSTS
from fuzz.hosts import Session
from fuzz.view import FOREIGN, Listing
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure

_TAG = 1


class Fake:
    """A fake LIO, in which another tool has a target beside those of lunmapd. See fuzz.world.Lio."""

    killed: type[BaseException] = CrashedError

    def __init__(self, kernel: FakeLio | None = None) -> None:
        """Make the objects of the other tool."""
        self.kernel = kernel or FakeLio()
        self._tree = FakeTree(self.kernel)
        self._keys: set[lio_objects.Key] = set()
        self.reboot()

    def listing(self) -> Listing:
        """See Lio."""
        self._keys |= self.kernel.objects.keys()
        return self._tree.listing()

    def remove(self, path: str) -> None:
        """See Lio."""
        self._tree.remove(path)

    def write(self, path: str, text: str) -> None:
        """See Lio."""
        self._tree.write(path, text)

    def make(self, path: str, link: str = "") -> None:
        """See Lio."""
        self._tree.make(path, link)

    def sessions(self) -> set[Session]:
        """See Sessions."""
        return {Session(each.iqn, each.initiator, each.isid) for each in self.kernel.sessions}

    def log_in(self, session: Session, tag: int) -> None:
        """See Sessions."""
        self.kernel.log_in(*session, tag=tag)

    def end(self, session: Session, *, by_request: bool) -> None:
        """See Sessions."""
        if by_request:
            self.kernel.log_out(*session)
        else:
            self.kernel.drop(*session)

    def kill_worker(self, after: int) -> None:
        """See Lio: the fake has no worker, so the daemon dies with half a step done."""
        self.kernel.crash_after = after

    def restart(self) -> None:
        """See Lio."""
        self.kernel.crash_after = None

    def reboot(self) -> None:
        """See Lio."""
        items: tuple[lio_objects.Object, ...] = (
            lio_objects.Target(FOREIGN),
            lio_objects.Tpg(FOREIGN, _TAG, (("authentication", "0"),), (("TargetAlias", "another tool's"),)),
            lio_objects.NodeAcl(FOREIGN, _TAG, HOSTS[0]),
            lio_objects.Portal(FOREIGN, _TAG, "10.9.7.1:3260"),
            lio_objects.Enabled(FOREIGN, _TAG, 7777),
        )
        self.kernel.objects = {lio_objects.key_of(item): item for item in items}
        self.kernel.sessions, self.kernel._counters = (), {}
        self.kernel.opened = {}

    def file(self, path: str, *, is_there: bool) -> None:
        """See Lio."""
        self.kernel.missing = self.kernel.missing - {path} if is_there else self.kernel.missing | {path}

    def refuse(self, choice: int) -> None:
        """See Lio."""
        keys = sorted((key for key in self._keys if key[0] != "leftover"), key=str)
        source = random.Random(choice)
        for key in source.sample(keys, min(len(keys), 2)):
            self.kernel.failures[key] = Failure(Reason.KERNEL_REFUSED, "no")

    def heal(self) -> None:
        """See Lio."""
        self.kernel.failures, self.kernel.missing = {}, set()
