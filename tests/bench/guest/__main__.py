"""`python3 -m bench.guest MEASUREMENT ARGUMENT...`: measures one thing and prints the seconds as JSON."""

import json
import sys

from bench.guest import change, cold, noop, once, resident, restore

_MEASUREMENTS = {
    "cold": cold.measure,
    "noop": noop.measure,
    "change": change.measure,
    "once": once.measure,
    "resident": resident.measure,
    "restore": restore.measure,
}

sys.stdout.write(json.dumps(_MEASUREMENTS[sys.argv[1]](*map(int, sys.argv[2:]))))
