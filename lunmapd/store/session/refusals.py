"""The error codes of ZooKeeper's servers: each is known to kazoo, and named with its cause and remedy.

The codes are those of org.apache.zookeeper.KeeperException.Code. A code that kazoo does not know ends its
connection thread: kazoo 2.9 (Debian 13) does not know those below -119, nor -12.
"""

from collections.abc import Mapping

from kazoo.exceptions import EXCEPTIONS, ZookeeperError
from msgspec import Struct

from lunmapd.store.session.errors import NotServedError, ServerRefusedError, StoreError


class UnknownCodeError(ZookeeperError):
    """A server answered with an error code that kazoo does not know; each such code has its own class."""

    @property
    def code(self) -> int:
        """The code: that under which kazoo keeps the class."""
        return next((code for code, kind in EXCEPTIONS.items() if kind is type(self)), 0)


def _unknown_code() -> type[ZookeeperError]:
    """Return a class for the code that is looked up; EXCEPTIONS, a defaultdict, keeps it under the code."""
    return type("UnknownCodeError", (UnknownCodeError,), {})


# Made when a server sends such a code: a class for each possible code would take a fifth of a verb's start.
EXCEPTIONS.default_factory = _unknown_code

# SESSIONCLOSEDREQUIRESASLAUTH: the server requires a login.
LoginRequiredError = EXCEPTIONS[-124]


class _Cause(Struct, frozen=True):
    """Why a server refuses a request, and what to do."""

    what: str
    remedy: str


_LOCAL_SESSION = _Cause(
    "it gave a local session, which can't register a node",
    "set localSessionsUpgradingEnabled=true, or localSessionsEnabled=false, in zoo.cfg",
)
_REFUSED: Mapping[int, _Cause] = {
    -6: _Cause("it does not know this request", "this needs a newer ZooKeeper, see docs/zookeeper.md"),
    # SESSIONEXPIRED of an operation in a transaction: the leader does not know a local session.
    -112: _LOCAL_SESSION,
    -120: _LOCAL_SESSION,
    -125: _Cause(
        "a hard quota is used up",
        "raise it with 'setquota' of zkCli; 'listquota' shows it",
    ),
}
_NOT_SERVED: Mapping[int, _Cause] = {
    -12: _Cause("it does not know this session any more", "try again"),
    -119: _Cause(
        "it is in read-only mode, since it reaches no majority", "check that a majority of its servers runs"
    ),
    -122: _Cause("it reached no agreement in time", "check the load and the network of its servers"),
    -127: _Cause(
        "it throttles requests, since it is overloaded",
        "check the load and the disks of its servers, and zookeeper.throttledOpWaitTime",
    ),
}
NOT_SERVED = tuple(EXCEPTIONS[code] for code in _NOT_SERVED)
"""The errors after which a request was certainly not done, and may be done later."""


def not_served(hosts: str, error: Exception) -> NotServedError:
    """Return the error for one of NOT_SERVED."""
    cause = _NOT_SERVED[_code_of(error)]
    return NotServedError(hosts, cause.what, cause.remedy)


def refused(error: Exception, path: str = "") -> StoreError:
    """Return the error for a request that a server refused, at the znode `path` if that is known."""
    cause = _REFUSED.get(_code_of(error))
    if cause is not None:
        return ServerRefusedError(cause.what, path, cause.remedy)
    if isinstance(error, UnknownCodeError):
        return ServerRefusedError(f"it answered with the error code {error.code}", path)
    return ServerRefusedError(type(error).__name__, path)


def _code_of(error: Exception) -> int:
    return int(getattr(error, "code", None) or 0)
