"""Verbs of `lunmapctl` that work on files, and need no ZooKeeper."""
