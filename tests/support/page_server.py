"""`lunmapctl serve` as a program, and requests to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

# A shell starts background jobs with SIGINT ignored, and tests that are one hand that on.
_CODE = """
import signal
from lunmapd.service.ctl import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
_PROGRAM = (sys.executable, "-c", _CODE)
_PATIENCE = 60.0


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    text: str


class PageServer(NamedTuple):
    """A running server: the program, and the port on 127.0.0.1 where it listens."""

    program: subprocess.Popen[str]
    port: int

    def get(self, address: str = "/", **headers: str) -> Answer:
        """Ask for a page."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)) as connection:
            connection.request("GET", address, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode())

    def wait(self, status: int, address: str = "/") -> Answer:
        """Ask again and again until a page has a status; each answer is waited for."""
        while (answer := self.get(address)).status != status:
            pass
        return answer


@contextmanager
def serving(
    directory: Path, hosts: str, chroot: str = "/lunmap", deadline: float = 0.5
) -> Iterator[PageServer]:
    """Give a server for a tree, with its settings in a directory."""
    settings = directory / "page.yaml"
    settings.write_text(f"zookeeper: {{hosts: ['{hosts}'], chroot: {chroot}, deadline: {deadline}}}\n")
    words = [*_PROGRAM, "-c", str(settings), "serve", "--listen", "127.0.0.1:0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as program:
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            assert line.startswith("serving http://127.0.0.1:")
            yield PageServer(program, int(line.rstrip("/\n").rpartition(":")[2]))
        finally:
            program.kill()
