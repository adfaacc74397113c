"""The program `lunmapd`: its loop, systemd, journal, metrics, `plan` and `adopt`."""
