"""A lease process that answers by script: `ready`, `silent`, `never`, `gone`, or `late`.

`late` is ready once its lock file has a second line. It appends the first line itself.
"""

import sys
import time
from pathlib import Path

from lunmapd.service.lease import wire


def _send(answer: wire.LeaseAnswer) -> None:
    sys.stdout.buffer.write(wire.encode_frame(answer) + b"\n")
    sys.stdout.buffer.flush()


script = sys.argv[1]
if script == "never":
    sys.stdin.read()
if script == "late":
    lock = Path(sys.argv[2])
    with lock.open("a") as file:
        file.write("started\n")
    while "go on" not in lock.read_text():
        time.sleep(0.01)
_send(wire.ReadyAnswer())
for line in sys.stdin:
    request = wire.decode_lease_request(line)
    match script:
        case "ready" | "late":
            _send(wire.DoneAnswer(request.number))
        case "gone":
            sys.exit(7)
