"""The watch of a node on `head`, its only one on the map."""

from collections.abc import Callable

from kazoo.protocol.states import WatchedEvent

from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.store.session.paths import HEAD
from lunmapd.store.session.session import Session


def watch_head(session: Session, wake: Callable[[WakeCause], None]) -> None:
    """Call `wake` when head may have changed, and after each change of the connection.

    Another thread calls it. A watch of ZooKeeper fires once (ZooKeeper Programmer's Guide, "ZooKeeper
    Watches") and kazoo does not keep it over a reconnect, so it is set again after each event. It is an
    exists watch, since that can be set on a missing head too.
    """

    def seen(_: WatchedEvent) -> None:
        arm()
        wake(WakeCause.WATCH)

    def arm() -> None:
        session.send(lambda client: client.exists_async(session.path(HEAD), watch=seen))

    def reconnected() -> None:
        arm()
        wake(WakeCause.SESSION)

    session.subscribe(reconnected)
    arm()
