"""The session with ZooKeeper: connection, login, deadlines, errors."""
