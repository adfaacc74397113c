"""A lease process that answers by script: `ready`, `silent`, `never`, `gone`."""

import sys

from lunmapd.service.lease import wire


def _send(answer: wire.LeaseAnswer) -> None:
    sys.stdout.buffer.write(wire.encode_frame(answer) + b"\n")
    sys.stdout.buffer.flush()


script = sys.argv[1]
if script == "never":
    sys.stdin.read()
_send(wire.ReadyAnswer())
for line in sys.stdin:
    request = wire.decode_lease_request(line)
    match script:
        case "ready":
            _send(wire.DoneAnswer(request.number))
        case "gone":
            sys.exit(7)
