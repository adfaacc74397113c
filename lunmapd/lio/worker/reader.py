"""The process that reads exported files and devices: `python -m lunmapd.lio.worker.reader`.

Each line of stdin is a BackingRead; each line of stdout is a ReadAnswer, in the order of the answers.
Each read has a thread of its own, since a device may never answer: nothing can end such a read, nor a process
that has one, until the device answers or fails. So neither the daemon nor the worker makes them.
"""

from msgspec import Struct, json

from lunmapd.core.base.backing_read import BackingKey, BackingRead
from lunmapd.lio.base.block_ends import read_ends
from lunmapd.lio.worker.threads import serve_in_threads


class ReadAnswer(Struct, frozen=True):
    """The answer to a read of the backing at `path` with this `identity`: its error, "" without one."""

    path: str
    identity: str
    error: str

    @property
    def key(self) -> BackingKey:
        """The backing that was read."""
        return BackingKey(self.path, self.identity)


encode_line = json.Encoder().encode
decode_read = json.Decoder(BackingRead).decode
decode_read_answer = json.Decoder(ReadAnswer).decode


def _answer(read: BackingRead) -> bytes:
    return encode_line(ReadAnswer(*read.key, read_ends(read)))


if __name__ == "__main__":
    serve_in_threads(decode_read, _answer)
