class KazooState:
    CONNECTED: str
    SUSPENDED: str

class KeeperState:
    AUTH_FAILED: str
    EXPIRED_SESSION: str

class ZnodeStat:
    ctime: int
    mtime: int
    version: int
    ephemeralOwner: int
    numChildren: int

class WatchedEvent: ...
