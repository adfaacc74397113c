"""The faults of an ensemble and its clients.

Each returns once it has effect, with the function that heals it.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from random import Random

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from msgspec.structs import replace

from chaos.edits import with_lun
from chaos.harness import Harness
from chaos.history import Overwrite
from chaos.recorder import now
from chaos.tree import bare
from lab import Server
from lab.wait import wait_for, wait_until
from lunmapd.core.base.documents import decode
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.store.session.session import Session

Heal = Callable[[], None]
Fault = Callable[[Harness, Random], Heal]

_OVERSIZED = 300_000  # above what a commit may write, below what ZooKeeper takes
_LARGEST = 1_000_000


def leader_killed(harness: Harness, _: Random) -> Heal:
    """Kill the leader."""
    victim = harness.ensemble.leader
    victim.kill()
    return victim.start


def all_killed(harness: Harness, _: Random) -> Heal:
    """Kill every server, as when the power fails."""
    harness.ensemble.kill()
    return harness.ensemble.start


def minority_cut(harness: Harness, dice: Random) -> Heal:
    """Pull the cable of one server."""
    return _cut([dice.choice(harness.ensemble.servers)])


def majority_cut(harness: Harness, dice: Random) -> Heal:
    """Cut two servers off, so that no server has a majority."""
    return _cut(dice.sample(harness.ensemble.servers, 2))


def _cut(victims: list[Server]) -> Heal:
    for victim in victims:
        victim.cut()

    def heal() -> None:
        for victim in victims:
            victim.heal()

    return heal


def leader_parted(harness: Harness, _: Random) -> Heal:
    """Part the leader from the other servers, while clients still reach all; the others choose a new one."""
    leader = harness.ensemble.leader
    others = [server for server in harness.ensemble.servers if server is not leader]
    for other in others:
        leader.part(other)
    wait_until("the parted leader steps down", lambda: leader.mode() != "leader")

    def heal() -> None:
        for other in others:
            leader.join(other)

    return heal


def all_parted(harness: Harness, _: Random) -> Heal:
    """Part all servers from one another, while clients reach all."""
    one, two, three = harness.ensemble.servers
    pairs = ((one, two), (two, three), (one, three))
    for left, right in pairs:
        left.part(right)
    wait_until("nobody serves", lambda: not any(server.mode() for server in harness.ensemble.servers))

    def heal() -> None:
        for left, right in pairs:
            left.join(right)

    return heal


def server_paused(harness: Harness, dice: Random) -> Heal:
    """Stop a server with its connections open; later it goes on where it was."""
    victim = dice.choice(harness.ensemble.servers)
    victim.pause()
    return victim.resume


def server_slow(harness: Harness, dice: Random) -> Heal:
    """Let a server run a fifth of the time, in slices, so that everything it is asked for comes late."""
    victim = dice.choice(harness.ensemble.servers)
    stops = threading.Event()

    def starve() -> None:
        while not stops.is_set():
            victim.pause()
            stops.wait(0.08)
            victim.resume()
            stops.wait(0.02)

    thread = threading.Thread(target=starve, daemon=True)
    thread.start()

    def heal() -> None:
        stops.set()
        thread.join()

    return heal


def disk_full(harness: Harness, dice: Random) -> Heal:
    """Fill the disk of a server, so that it can't log what it should acknowledge."""
    victim = dice.choice(harness.ensemble.servers)
    victim.fill()

    def heal() -> None:
        victim.free()
        wait_until("the server with the full disk serves again", lambda: _serves(victim))

    return heal


def _serves(server: Server) -> bool:
    """Return whether it serves.

    A server that ended for want of disk space is started again, as a service manager would.
    """
    if not server.running():
        server.start()
    return bool(server.mode())


def server_wiped(harness: Harness, dice: Random) -> Heal:
    """Kill a server, which then comes back without any data."""
    victim = dice.choice(harness.ensemble.servers)
    victim.kill()
    victim.wipe()
    return victim.start


def sessions_expired(harness: Harness, dice: Random) -> Heal:
    """Let sessions of writers and followers expire."""
    sessions = harness.sessions()
    for session in dice.sample(sessions, dice.randint(1, len(sessions))):
        expire(session)
    return _nothing


def expire(session: Session) -> None:
    """Let the server end a session: open it a second time and close it. It may have expired already."""
    double = KazooClient(session.hosts, client_id=session.link.current.client_id)
    with suppress(KazooTimeoutError):
        double.start(30)
    with suppress(KazooException):
        double.stop()
    double.close()


def follower_restarted(harness: Harness, dice: Random) -> Heal:
    """End a node's daemon, and start it anew."""
    harness.restart(dice.choice(harness.followers))
    return _nothing


def _nothing() -> None:
    pass


def garbage(harness: Harness, dice: Random) -> Heal:
    """Overwrite a Lun with bytes that are no document, as a user of zkCli might."""
    return _overwrite(harness, dice, lambda data: data[: len(data) // 2])


def oversized(harness: Harness, dice: Random) -> Heal:
    """Write a document over a Lun that is larger than any commit may write, a good one or not."""
    size = dice.choice((_OVERSIZED, _LARGEST))
    if dice.random() < 0.5:
        return _overwrite(harness, dice, lambda data: b"{" + b" " * size + data[1:])
    return _overwrite(harness, dice, lambda _: b"x" * size)


def _spoiled(
    client: KazooClient, section: str, dice: Random, spoil: Callable[[bytes], bytes]
) -> tuple[str, bytes, Overwrite] | None:
    """Overwrite any Lun; return its name, its document before, and the edit.

    None: there is no Lun, or a writer has removed it just now.
    """
    names = sorted(client.get_children(section))
    if not names:
        return None
    name = dice.choice(names)
    try:
        good = client.get(f"{section}/{name}")[0]
        spoilt, began = spoil(good), now()
        client.set(f"{section}/{name}", spoilt)
    except NoNodeError:
        return None
    return name, good, Overwrite(f"luns/{name}", spoilt, began, now())


def _overwrite(harness: Harness, dice: Random, spoil: Callable[[bytes], bytes]) -> Heal:
    """Overwrite a Lun out of band.

    To heal it, an admin commits the map that is read then, with a Lun of that name.
    """
    with bare(harness.ensemble.hosts) as client:
        attempt = partial(_spoiled, client, f"{harness.root}/luns", dice, spoil)
        found = wait_for("a Lun is overwritten", attempt, lambda done: done is not None)
    assert found is not None
    name, good, overwrite = found
    harness.recorder.overwrites.append(overwrite)
    lun = replace(decode(good, Lun), maps=())

    def repaired(lunmap: Lunmap) -> Lunmap:
        return lunmap if name in lunmap.luns else with_lun(lunmap, name, lun)

    def heal() -> None:
        harness.admin.forget()
        harness.admin.make(repaired)

    return heal


FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        leader_killed,
        all_killed,
        minority_cut,
        majority_cut,
        leader_parted,
        all_parted,
        server_paused,
        server_slow,
        disk_full,
        server_wiped,
        sessions_expired,
        follower_restarted,
        garbage,
        oversized,
    )
}
