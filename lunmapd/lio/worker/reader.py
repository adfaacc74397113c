"""The process that reads exported files and devices: `python -m lunmapd.lio.worker.reader`.

Each line of stdin is a BackingRead; each line of stdout is a ReadAnswer, in the order of the answers.
Each read has a thread of its own, since a device may never answer: nothing can end such a read, nor a process
that has one, until the device answers or fails. So neither the daemon nor the worker makes them.
"""

import signal
import sys
import threading
from collections.abc import Iterable
from functools import partial

from msgspec import Struct, json

from lunmapd.core.base.backing_read import BackingKey, BackingRead
from lunmapd.files import write_all
from lunmapd.lio.base.block_ends import read_ends

_STACK = 256 * 1024  # bytes for each thread


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


def begin_reads(lines: Iterable[bytes], output: int) -> None:
    """Begin the read of each line, until there are no more; `output` is a descriptor."""
    lock = threading.Lock()

    def answer(read: BackingRead) -> None:
        line = encode_line(ReadAnswer(*read.key, read_ends(read))) + b"\n"
        with lock:
            write_all(output, line)

    for line in lines:
        threading.Thread(target=partial(answer, decode_read(line)), daemon=True).start()


def main() -> None:
    """Serve stdin and stdout. Signals to the process group don't end it; the daemon does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.stack_size(_STACK)
    begin_reads(sys.stdin.buffer, sys.stdout.fileno())


if __name__ == "__main__":
    main()
