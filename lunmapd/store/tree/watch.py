"""The one watch of a node: on head."""

from collections.abc import Callable

from kazoo.protocol.states import WatchedEvent

from lunmapd.core.base.events import WakeCause
from lunmapd.store.session.paths import HEAD
from lunmapd.store.session.session import Session


def watch_head(session: Session, wake: Callable[[WakeCause], None]) -> None:
    """Call `wake` with WATCH when head may have changed, and with SESSION after each change of the connection.

    ZooKeeper's watches are good for one event and don't outlive kazoo's connection, so it is set again after
    each. An exists watch, since that is set on a missing head too. `wake` comes from a foreign thread.
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
