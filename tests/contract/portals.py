"""Checking portals on a machine, as the daemon does."""

import json

from lab import Machine

_CHECK = """
import json, sys
from msgspec import to_builtins
from lunmapd.core.base.password import Secret
from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.service.daemon.portal_watch import check_portals
portals, seconds, *chap = json.loads(sys.argv[1])
credentials = ChapCredentials(*(Secret(text) if number % 2 else text for number, text in enumerate(chap)))
print(json.dumps(to_builtins(check_portals(frozenset(portals), credentials, seconds))))
"""


def check(node: Machine, *portals: str, chap: tuple[str, ...] = (), seconds: float = 20.0) -> dict[str, str]:
    """Check portals on the node itself; return the reason and the message of each problem, by portal."""
    task = json.dumps([portals, seconds, *chap])
    found = json.loads(node.run(["python3", "-c", _CHECK, task]).stdout)
    return {portal: f"{problem['reason']}: {problem['message']}" for portal, problem in found.items()}
