"""A cluster that serves verified I/O while its map is changed: predictions, and the initiator's view."""

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from msgspec import structs

from lab import wait_for
from lab.machines.io import VerifiedIO
from lab.wait import PATIENCE, wait_until
from lunmapd.client import Chap, Client, Lunmap, Note, parse_map
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput, compare, impacts
from lunmapd.core.planning.impact import Impact
from lunmapd.core.planning.plan import Action, Step
from lunmapd.core.secrets.sealing import KEY_BYTES, NONCE_BYTES, Vault, keyring
from lunmapd.lio.worker.kernel import Kernel
from support.cluster import DB1, PID, SAN, Cluster, StorageNode

MIB = 1 << 20
_KEYS = "/etc/lunmapd/secrets.key"
_LUNS = ("file", "touched")
NOTE = Note()
_WORKER = "exec python3 -m lunmapd.lio.worker.worker"
# Fetches pending unit attentions by TEST UNIT READY (sg_turs of sg3-utils 1.48 sends nothing), writes to the
# given disks, and prints the kernel's log of both. udev watches its own nodes: each of them that was open for
# writing costs an event, which takes longer than all else here.
_NOTICED = """
for d in /sys/class/scsi_device/*; do
    set -- $d/device/block/*
    for n in 1 2 3; do sg_raw -R /dev/${{1##*/}} 00 00 00 00 00 00 >/dev/null 2>&1; done
done
for disk in {disks}; do
    cp --remove-destination -aL $disk /run/lab/disk 2>/dev/null &&
        dd if=/dev/zero of=/run/lab/disk bs=4k count=1 oflag=direct conv=nocreat 2>/dev/null &&
        echo written $disk
done
dmesg >/run/lab/dmesg
for s in /sys/class/iscsi_session/session*; do
    set -- $s/device/connection*/iscsi_connection/connection*
    read state <$s/state && [ $state = LOGGED_IN ] || continue
    read target <$s/targetname && read address <$1/persistent_address && read port <$1/local_port &&
        cd -P $s/device || continue
    host=${{PWD#*/host}}
    echo login $target $address $port $(grep -c "sd ${{host%%/*}}:.* changed" /run/lab/dmesg)
done
"""


@dataclass(frozen=True)
class Login:
    """A session as the initiator has it: one that was dropped comes back from another `port`."""

    target: str
    address: str
    port: str


@dataclass(frozen=True)
class Noticed:
    """The initiator's sessions with unit attention counts, and the addresses that write LUN 1."""

    attentions: Mapping[Login, int]
    written: frozenset[str]

    @property
    def logins(self) -> frozenset[Login]:
        """The sessions alone."""
        return frozenset(self.attentions)

    @property
    def portals(self) -> frozenset[tuple[str, str]]:
        """The portals with a session, old or new."""
        return frozenset((login.target, login.address) for login in self.attentions)


@dataclass(frozen=True)
class Prediction:
    """The effect of a plan on logged-in initiators: the worst class, and the targets whose sessions end."""

    worst: str
    drops: frozenset[str] = frozenset()

    @classmethod
    def of(cls, effects: Iterable[tuple[Step, Impact]]) -> "Prediction":
        """Sum up the steps of a plan."""
        seen = tuple(effects)
        ends = {
            step.item.iqn
            for step, effect in seen
            if step.action is Action.DELETE
            and isinstance(step.item, lio_objects.Enabled | lio_objects.NodeAcl)
            and effect.sessions
        }
        return cls(max((effect.now for _, effect in seen), default=Disruption.NONE).word, frozenset(ends))


class Experiment:
    """Two nodes under I/O: on LUN 0 of the common target through n1 alone, and over both by multipath.

    In the text of the map ADDRESS1 and ADDRESS2 are the nodes', and passwords are in the clear.
    """

    def __init__(self, cluster: Cluster, client: Client, text: str) -> None:
        """Give the nodes a key, apply the map, let the initiator log in everywhere, and start the I/O."""
        self.cluster = cluster
        self._client, self._text = client, text
        self._vault = Vault(client.read().cluster, keyring([key := os.urandom(KEY_BYTES)]))
        for node in cluster.nodes:
            node.machine.put(_KEYS, base64.b64encode(key), mode=0o600)
        self._kernels = [Kernel(node.machine.ssh.command(script=_WORKER)) for node in cluster.nodes]
        self.commit(self.map())
        cluster.login(scratch=True)
        self._io = self._start_io()
        self._portals = self.notice().portals

    def _start_io(self) -> tuple[VerifiedIO, VerifiedIO]:
        steady, initiator = self.cluster.paths(DB1).device, self.cluster.initiator
        return (
            initiator.verified_io(steady, offset=32 * MIB),
            initiator.verified_io(self._disk(1, 0), offset=MIB),
        )

    def restore(self, reported: Mapping[str, int]) -> None:
        """Restore the start of a test: map, sessions, reported sessions, and I/O."""
        for node in self.cluster.nodes:
            node.machine.run(f"kill -CONT $(cat {PID})")
        revision = self._client.apply(self.map(), Note(shrink=_LUNS, rebacking=_LUNS))
        if revision is not None:
            self._client.wait_applied(revision.revision, PATIENCE)
            self.reload_all()
        wait_for("the initiator's sessions and ways", self.notice, self._is_whole)
        self.await_reported(reported)
        if not all(_is_sound(io) for io in self._io):
            self.cluster.initiator.end_io()
            self._io = self._start_io()

    def _is_whole(self, found: Noticed) -> bool:
        return found.portals == self._portals and len(found.written) == len(self.cluster.nodes)

    def close(self) -> None:
        """End the workers that observe the nodes."""
        for kernel in self._kernels:
            kernel.close()

    def map(self, *edits: tuple[str, str]) -> Lunmap:
        """Return the map with one text after the other replaced by another."""
        text = self._text
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        return change_credentials(parse_map(self.cluster.filled(text))[0], self._sealed)

    def _sealed(self, path: str, field: str, chap: Chap) -> Chap:
        """Seal a password, the same one in the same place always alike."""
        nonce = hashlib.sha256(f"{path} {field} {chap.password}".encode()).digest()[:NONCE_BYTES]
        return structs.replace(chap, password=self._vault.seal(path, field, Secret(chap.password), nonce))

    def commit(self, lunmap: Lunmap, note: Note = NOTE) -> None:
        """Commit a map, and wait until all nodes have applied it."""
        revision = self._client.apply(lunmap, note)
        assert revision is not None, "something changes"
        self._client.wait_applied(revision.revision, PATIENCE)

    def plan(self, number: int, lunmap: Lunmap) -> str:
        """Commit a map while a node's daemon is stopped, and return its `lunmapd plan -o json`."""
        machine = self.node(number).machine
        machine.run(f"kill -STOP $(cat {PID})")
        revision = self._client.apply(lunmap)
        assert revision is not None, "something changes"
        reported = machine.run(f"lunmapd plan -o json; kill -CONT $(cat {PID})").stdout
        self._client.wait_applied(revision.revision, PATIENCE)
        return reported

    def predict(self, number: int, lunmap: Lunmap, note: Note = NOTE) -> Prediction:
        """Return the effect on a node of a map that is not committed yet."""
        return Prediction.of(self.effects(number, lunmap, note))

    def effects(self, number: int, lunmap: Lunmap, note: Note = NOTE) -> list[tuple[Step, Impact]]:
        """Plan as `lunmapd plan` does, before the map is committed."""
        after = self._client.propose(lunmap, note).after
        name, observed = self.node(number).name, self._kernels[number - 1].observe(frozenset())
        given = PassInput(name, 0, after, {}, self._vault)
        comparison = compare(given, observed)
        assert not comparison.desire.failures
        fleet = self._client.fleet().nodes.items()
        logins = {other: frozenset(said.status.logins) for other, said in fleet if said.status}
        return list(impacts(given, comparison, logins))

    def reload_all(self) -> None:
        """Let all daemons make a full pass at once (SIGHUP)."""
        for node in self.cluster.nodes:
            node.machine.run(f"kill -HUP $(cat {PID})")

    def node(self, number: int) -> StorageNode:
        """Return a node by its number."""
        return self.cluster.nodes[number - 1]

    def address(self, number: int) -> str:
        """Return a node's address."""
        return self.node(number).machine.address

    def _disk(self, number: int, lun: int) -> str:
        """Return the initiator's disk that is a LUN of the common target as a node shows it."""
        return f"/dev/disk/by-path/ip-{self.address(number)}:3260-iscsi-{SAN}-lun-{lun}"

    def notice(self) -> Noticed:
        """Return the state that the initiator has now."""
        disks = {self._disk(number, 1): self.address(number) for number in (1, 2)}
        lines = self.cluster.initiator.machine.run(_NOTICED.format(disks=" ".join(disks))).stdout.splitlines()
        words = [line.split() for line in lines]
        return Noticed(
            {Login(*rest[:3]): int(rest[3]) for kind, *rest in words if kind == "login"},
            frozenset(disks[rest[0]] for kind, *rest in words if kind == "written"),
        )

    def await_reported(self, wanted: Mapping[str, int]) -> None:
        """Wait until `lunmapctl status` shows so many sessions of each node."""
        wait_until(f"the nodes tell of the sessions: {wanted}", lambda: self._reported() == wanted)

    def _reported(self) -> dict[str, int]:
        return {name: node["sessions"] for name, node in self.cluster.ctl.status()["nodes"].items()}

    def check_io(self) -> None:
        """See that the I/O goes on, and that none of it has failed."""
        then = [io.progress.operations for io in self._io]
        wait_until("the I/O goes on", partial(self._goes_on, then))
        assert [(io.progress.errors, io.progress.mismatches) for io in self._io] == [(0, 0), (0, 0)]

    def _goes_on(self, then: list[int]) -> bool:
        return all(io.progress.operations > before + 10 for io, before in zip(self._io, then, strict=True))


def _is_sound(io: VerifiedIO) -> bool:
    """Return whether I/O still runs without any failure."""
    return io.running() and (io.progress.errors, io.progress.mismatches) == (0, 0)
