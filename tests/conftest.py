"""Settings of all layers: how long Hypothesis searches."""

import os

from hypothesis import settings

pytest_plugins = ["lab.pytest_plugin"]

settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=100)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
