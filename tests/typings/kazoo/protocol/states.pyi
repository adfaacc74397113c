class KazooState:
    CONNECTED: str

class KeeperState:
    AUTH_FAILED: str

class ZnodeStat:
    version: int
    ephemeralOwner: int
    numChildren: int

class WatchedEvent: ...
