class KazooState:
    SUSPENDED: str
    CONNECTED: str
    LOST: str

class ZnodeStat:
    version: int
    ephemeralOwner: int

class WatchedEvent: ...
