"""Asking the servers which principals they authenticated this client as, which kazoo has no call for.

ZooKeeper 3.7, zookeeper.jute: WhoAmIResponse.
"""

import struct
from collections.abc import Iterator
from typing import Any

from kazoo.client import KazooClient
from msgspec import Struct

from lunmapd.core.base.permissions.principals import Principal

_INT = struct.Struct(">i")


class _Request(Struct, frozen=True):
    """A request as kazoo sends it (kazoo.protocol.serialization)."""

    type: int = 107  # org.apache.zookeeper.ZooDefs.OpCode.whoAmI

    def serialize(self) -> bytes:
        return b""

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> tuple[Principal, ...]:
        """Return the principals, which have no password hashes.

        The scheme `ip`, the client's address, is left out.
        """
        found = list(_strings(data, offset))
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple(Principal(scheme, user) for scheme, user in pairs if scheme != "ip")


def ask_who(client: KazooClient) -> Any:
    """Send the request; the reply is a tuple of principals."""
    result = client.handler.async_result()
    client._call(_Request(), result)  # noqa: SLF001 - the only way to send a request that kazoo does not know
    return result


def _strings(data: bytes, offset: int) -> Iterator[str]:
    (count,) = _INT.unpack_from(data, offset)
    offset += _INT.size
    for _ in range(2 * count):
        (length,) = _INT.unpack_from(data, offset)
        offset += _INT.size
        yield data[offset : offset + length].decode()
        offset += length
