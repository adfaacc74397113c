"""multiRead, as zookeeper.jute has it: its bytes, and its answer with the errors of single znodes."""

import struct

from lunmapd.store.session.multi_read import NO_AUTH, NO_NODE, ZnodeRead, ask_many


class Recorder:
    """Stands for kazoo's client: it keeps the request that is sent."""

    def __init__(self) -> None:
        self.handler = self
        self.sent: list[tuple[object, object]] = []

    def async_result(self) -> object:
        """Return something that the call returns in turn."""
        return self

    def _call(self, request: object, result: object) -> None:
        self.sent.append((request, result))


def request_of(*paths: str) -> object:
    """Return the request for these paths."""
    recorder = Recorder()
    assert ask_many(recorder, paths) is recorder  # type: ignore[arg-type]
    ((request, result),) = recorder.sent
    assert result is recorder
    return request


def stat(version: int) -> bytes:
    """Return a Stat with this version and otherwise different numbers."""
    return struct.pack(">qqqqiiiqiiq", 1, 2, 3, 4, version, 5, 6, 7, 8, 9, 10)


def test_a_request_names_each_path_without_a_watch() -> None:
    """Each path is a getData without a watch, and a header ends the list."""
    header, end = b"\0\0\0\x04\0\xff\xff\xff\xff", b"\xff\xff\xff\xff\x01\xff\xff\xff\xff"
    sent = request_of("/a", "/ü").serialize()  # type: ignore[attr-defined]
    assert sent == header + b"\0\0\0\x02/a\0" + header + b"\0\0\0\x03/\xc3\xbc\0" + end


def test_each_znode_has_its_data_or_its_error() -> None:
    """Data, no data, and errors stand in the order of the paths; bytes before the offset are not read."""
    found = b"\0\0\0\x04\0\0\0\0\0"
    answer = b"".join(
        (
            *(found, b"\0\0\0\x03abc", stat(7)),
            *(b"\xff\xff\xff\xff\0", struct.pack(">ii", NO_NODE, NO_NODE)),
            *(found, b"\xff\xff\xff\xff", stat(2)),
            *(b"\xff\xff\xff\xff\0", struct.pack(">ii", NO_AUTH, NO_AUTH)),
            *(found, b"\0\0\0\0", stat(0)),
            b"\xff\xff\xff\xff\x01\xff\xff\xff\xff",
        )
    )
    read = request_of().deserialize(b"header" + answer, 6)  # type: ignore[attr-defined]
    assert read == [
        ZnodeRead(b"abc", 7, children=9, owner=7),
        ZnodeRead(b"", 0, NO_NODE),
        ZnodeRead(b"", 2, children=9, acl=(1, 6), owner=7),
        ZnodeRead(b"", 0, NO_AUTH),
        ZnodeRead(b"", 0, children=9, acl=(1, 6), owner=7),
    ]
