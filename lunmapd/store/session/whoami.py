"""Asking the servers who we are to them, which kazoo can't (ZooKeeper 3.7, zookeeper.jute: WhoAmIResponse)."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from kazoo.client import KazooClient

from lunmapd.core.base.access import Identity

_INT = struct.Struct(">i")


class _Request(NamedTuple):
    """A request as kazoo sends it (kazoo.protocol.serialization)."""

    type: int = 107  # org.apache.zookeeper.ZooDefs.OpCode.whoAmI

    def serialize(self) -> bytes:
        return b""

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> tuple[Identity, ...]:
        """Read the identities, which have no password hashes; where the request came from is none."""
        found = list(_strings(data, offset))
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple(Identity(scheme, user) for scheme, user in pairs if scheme != "ip")


def ask_who(client: KazooClient) -> Any:
    """Ask; the answer is a tuple of identities."""
    result = client.handler.async_result()
    client._call(_Request(), result)  # noqa: SLF001 - the one way to a request that kazoo doesn't know
    return result


def _strings(data: bytes, offset: int) -> Iterator[str]:
    (count,) = _INT.unpack_from(data, offset)
    offset += _INT.size
    for _ in range(2 * count):
        (length,) = _INT.unpack_from(data, offset)
        offset += _INT.size
        yield data[offset : offset + length].decode()
        offset += length
