class KazooState:
    CONNECTED: str
    SUSPENDED: str

class KeeperState:
    AUTH_FAILED: str
    EXPIRED_SESSION: str

class ZnodeStat:
    czxid: int
    ctime: int
    mtime: int
    version: int
    aversion: int
    ephemeralOwner: int
    numChildren: int

class WatchedEvent:
    path: str | None
