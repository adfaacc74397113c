"""The map in ZooKeeper; the only package that imports kazoo."""
