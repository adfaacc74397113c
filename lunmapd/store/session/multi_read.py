"""Reading many znodes by one request, multiRead, which kazoo has no call for.

A server answers it as it answers each getData by itself: an error of one znode, such as a missing one, stands
in its place. So the client handles one answer, not one for each znode, which takes most of kazoo's time.

ZooKeeper 3.6: FinalRequestProcessor.java (OpCode.multiRead), MultiOperationRecord.java, MultiResponse.java,
and zookeeper.jute (GetDataRequest, GetDataResponse, ErrorResponse, Stat).
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from kazoo.client import KazooClient

_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_HEADER = struct.Struct(">i?i")  # MultiHeader: type, done, err
_GET_DATA, _ERROR = 4, -1  # ZooDefs.OpCode
_END = _HEADER.pack(-1, True, -1)  # noqa: FBT003 - `done`
_ASK = _HEADER.pack(_GET_DATA, False, -1)  # noqa: FBT003 - `done`
_NO_WATCH = b"\0"
_VERSION_AT = 32  # bytes: Stat begins with four longs
_ACL_AT = 40  # bytes
_OWNER_AT = 44  # bytes
_CHILDREN_AT = 56  # bytes
_STAT_SIZE = 68  # bytes


NO_NODE, NO_AUTH = -101, -102  # KeeperException.Code
AclVersion = tuple[int, int]
"""The zxid that created a znode, and the version of its ACL: they identify the ACL.

Stat.czxid and Stat.aversion: a setACL raises the version by one (DataTree.java, setACL), a znode that is
created again has another zxid.
"""


class ZnodeRead(NamedTuple):
    """The bytes of a znode, its version, the number of its children, and the version of its ACL.

    Or the code of the error, such as NO_NODE, and no bytes. `owner` is the id of the session that an
    ephemeral belongs to, 0 for any other znode. `acl` is None for a znode with data: those that other znodes
    inherit from have none.
    """

    data: bytes
    version: int
    error: int = 0
    children: int = 0
    acl: AclVersion | None = None
    owner: int = 0


class _Request(NamedTuple):
    """A request as kazoo sends it (kazoo.protocol.serialization)."""

    paths: Sequence[str]
    type: int = 22  # ZooDefs.OpCode.multiRead

    def serialize(self) -> bytes:
        encoded = (path.encode() for path in self.paths)
        return b"".join((*(_ASK + _INT.pack(len(path)) + path + _NO_WATCH for path in encoded), _END))

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> list[ZnodeRead]:
        found: list[ZnodeRead] = []
        while True:
            kind, is_done, _ = _HEADER.unpack_from(data, offset)
            if is_done:
                return found
            offset += _HEADER.size
            (number,) = _INT.unpack_from(data, offset)
            offset += _INT.size
            if kind == _ERROR:
                found.append(ZnodeRead(b"", 0, number))
                continue
            # -1 stands for a znode without data.
            end = offset + max(number, 0)
            (version,) = _INT.unpack_from(data, end + _VERSION_AT)
            (children,) = _INT.unpack_from(data, end + _CHILDREN_AT)
            (owner,) = _LONG.unpack_from(data, end + _OWNER_AT)
            acl = _acl_version(data, end) if end == offset else None
            found.append(ZnodeRead(bytes(data[offset:end]), version, 0, children, acl, owner))
            offset = end + _STAT_SIZE


def _acl_version(data: bytes, at: int) -> AclVersion:
    """Return czxid and aversion of the Stat at this offset."""
    (created,), (version,) = _LONG.unpack_from(data, at), _INT.unpack_from(data, at + _ACL_AT)
    return created, version


def ask_many(client: KazooClient, paths: Sequence[str]) -> Any:
    """Send the request for these absolute paths; the reply is a list of ZnodeRead in their order."""
    result = client.handler.async_result()
    client._call(_Request(paths), result)  # noqa: SLF001 - the only way to send a request that kazoo does not know
    return result
