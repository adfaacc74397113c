class KazooState:
    CONNECTED: str

class ZnodeStat:
    version: int
    ephemeralOwner: int

class WatchedEvent: ...
