"""What the lease process does with a request: it gives addresses to the kernel and removes them in time."""

from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock, Thread, Timer
from typing import Protocol

from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.clock import boot_time
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.service.lease import packets, wire
from lunmapd.service.lease.interfaces import KernelAddress, Network, NetworkLink, link_problem, place
from lunmapd.service.lease.kill_timer import killed_at

_Work = Callable[[], wire.NumberedAnswer | None]


class AddressKernel(Protocol):
    """The links and addresses of the kernel (netlink.py). Every method raises OSError."""

    def read(self) -> Network:
        """Return the links and addresses."""

    def put(self, link: NetworkLink, address: str, lifetime: int) -> None:
        """Give an address to a link for a lifetime in seconds, or extend it to that."""

    def remove(self, address: KernelAddress) -> None:
        """Remove an address; one that has gone is no error."""


class _RefusedError(Exception):
    """A request can't be carried out; `failure` has the reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class LeaseServer:
    """The leases of this process. `handle` and `drop_expired` are for one thread.

    `_ends` are the ends of the lifetimes of the addresses that it has given to the kernel. Announcements and
    removals exclude each other by `_serving`: an announcement after the removal would lead hosts away from
    the next owner.
    """

    def __init__(self, kernel: AddressKernel, send: Callable[[wire.LeaseAnswer], None]) -> None:
        """Prepare. `send` sends an answer, in any thread."""
        self._kernel = kernel
        self._send = send
        self._serving = Lock()
        self._ends: dict[str, float] = {}

    def handle(self, request: wire.LeaseRequest) -> None:
        """Carry out a request, and send its answer; a detection and an announcement go on in a thread."""
        self._answer(request.number, partial(self._carry_out, request))

    def seconds_left(self) -> float | None:
        """Return the time to the end of the first lifetime; None without any."""
        return max(0.0, min(self._ends.values()) - boot_time()) if self._ends else None

    def drop_expired(self) -> None:
        """Remove the addresses whose lifetime has ended, which the kernel may do later. Raises OSError."""
        now = boot_time()
        expired = [address for address, end in self._ends.items() if now >= end]
        if expired:
            self._remove(expired)

    def _carry_out(self, request: wire.LeaseRequest) -> wire.NumberedAnswer | None:
        match request:
            case wire.PresenceRequest(number, group):
                return self._presence(number, group)
            case wire.GrantRequest():
                return self._grant(request)
            case wire.DropRequest(number, group):
                self._remove(group.addresses)
                return wire.DoneAnswer(number)
            case wire.DetectRequest() | wire.AnnounceRequest():
                self._begin(request)
        return None

    def _presence(self, number: int, group: GroupAddresses) -> wire.PresenceAnswer:
        network = self._kernel.read()
        placed = place(group, network)
        problem = placed if isinstance(placed, Failure) else link_problem(placed)
        present = sorted({each.text for each in network.of(group.addresses)})
        return wire.PresenceAnswer(number, tuple(present), problem)

    def _grant(self, request: wire.GrantRequest) -> wire.DoneAnswer:
        _check_time(request.not_after)
        with killed_at(request.not_after):
            placed = _placed(request.group, self._kernel.read())
            for address, link in placed.items():
                # Before the call: an address that comes without an answer has an end too.
                self._ends[address] = boot_time() + request.lifetime
                self._kernel.put(link, address, request.lifetime)
                self._ends[address] = boot_time() + request.lifetime
        self._remove_endless(request.group.addresses)
        return wire.DoneAnswer(request.number)

    def _remove_endless(self, addresses: Iterable[str]) -> None:
        """Remove those of the addresses that others gave to the kernel for good: no lease ends them."""
        for each in self._kernel.read().of(addresses):
            if each.valid is None:
                self._kernel.remove(each)

    def _remove(self, addresses: Iterable[str]) -> None:
        with self._serving:
            for each in self._kernel.read().of(addresses):
                self._kernel.remove(each)
            left = self._kernel.read().of(addresses)
            if left:
                raise _RefusedError(Failure(Reason.LEASE_PROCESS, f"the kernel still has {left[0].text}"))
            for address in addresses:
                self._ends.pop(address, None)

    def _begin(self, request: wire.DetectRequest | wire.AnnounceRequest) -> None:
        network = self._kernel.read()
        placed = _placed(request.group, network)
        if isinstance(request, wire.DetectRequest):
            own = frozenset(link.hardware for link in network.links)
            self._in_thread(request.number, partial(self._detect, request.number, placed, own))
        else:
            self._in_thread(request.number, partial(self._announce_first, request.number, placed))

    def _in_thread(self, number: int, work: "_Work") -> None:
        Thread(target=self._answer, args=(number, work), daemon=True).start()

    def _detect(self, number: int, placed: packets.Placed, own: frozenset[bytes]) -> wire.DuplicateAnswer:
        return wire.DuplicateAnswer(number, packets.detect_duplicate(placed, own))

    def _announce_first(self, number: int, placed: packets.Placed) -> wire.DoneAnswer:
        first, *later = packets.ANNOUNCEMENTS
        for seconds in later:
            repeat = Timer(seconds - first, self._answer, (number, partial(self._announce, placed)))
            repeat.daemon = True
            repeat.start()
        self._announce(placed)
        return wire.DoneAnswer(number)

    def _announce(self, placed: packets.Placed) -> None:
        """Announce the addresses that this process has given to the kernel, within their lifetime."""
        with self._serving:
            ends = [self._ends[address] for address in placed if address in self._ends]
            if len(ends) == len(placed) and boot_time() < min(ends):
                with killed_at(min(ends)):
                    packets.announce(placed)

    def _answer(self, number: int, work: "_Work") -> None:
        """Send what `work` returns, or why it failed."""
        try:
            answer = work()
        except _RefusedError as error:
            answer = wire.RefusedAnswer(number, error.failure)
        except OSError as error:
            answer = wire.RefusedAnswer(number, Failure(Reason.LEASE_PROCESS, f"the kernel refused: {error}"))
        if answer is not None:
            self._send(answer)


def _placed(group: GroupAddresses, network: Network) -> packets.Placed:
    placed = place(group, network)
    if isinstance(placed, Failure):
        raise _RefusedError(placed)
    return placed


def _check_time(not_after: float) -> None:
    late = boot_time() - not_after
    if late >= 0:
        message = (
            f"the addresses came {late:.1f} s too late to be given to the kernel: this node is overloaded"
        )
        raise _RefusedError(Failure(Reason.LEASE_UNBOUNDED, message))
