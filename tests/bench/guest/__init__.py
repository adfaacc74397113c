"""The programs inside the machine: the bare scripts, and lunmapd's own passes.

They need only lunmapd and Python.
"""
