"""The one watch of a node: on head."""

from collections.abc import Callable

from kazoo.protocol.states import WatchedEvent

from lunmapd.store.session.paths import HEAD
from lunmapd.store.session.session import Session


def watch_head(session: Session, wake: Callable[[], None]) -> None:
    """Call `wake` when head may have changed, and after each change of the connection.

    ZooKeeper's watches are good for one event and don't outlive kazoo's connection, so it is set again after
    each. An exists watch, since that is set on a missing head too. `wake` comes from a foreign thread.
    """

    def seen(_: WatchedEvent) -> None:
        arm()
        wake()

    def arm() -> None:
        session.send(lambda client: client.exists_async(session.path(HEAD), watch=seen))

    def reconnected() -> None:
        arm()
        wake()

    session.subscribe(reconnected)
    arm()
