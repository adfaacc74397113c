"""`python3 -m bench.guest MEASUREMENT ARGUMENT...`: measures one thing and prints the seconds as JSON."""

import json
import sys

from bench.guest import cold

_MEASUREMENTS = {"cold": cold.measure}

sys.stdout.write(json.dumps(_MEASUREMENTS[sys.argv[1]](*map(int, sys.argv[2:]))))
