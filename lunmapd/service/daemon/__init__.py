"""The `lunmapd` program: its loop, systemd, journal, metrics, `plan` and `adopt`."""
