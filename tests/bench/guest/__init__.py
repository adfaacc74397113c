"""What runs inside the machine: the bare scripts, and lunmapd's own passes. Needs only lunmapd and Python."""
