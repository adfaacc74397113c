"""The map in ZooKeeper: the only importer of kazoo."""
