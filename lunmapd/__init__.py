"""Keeps the LIO iSCSI target of every storage node equal to one map in ZooKeeper."""

__version__ = "0.1.0"
