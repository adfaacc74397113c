"""Who may do what in the tree of a cluster."""

from collections.abc import Callable

from lunmapd.core.base.access import Identity, Role, Roles, granted, is_admin, revoked
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.names import check_name
from lunmapd.store.session.session import Session
from lunmapd.store.tree.roles import count_strays, read_roles, set_roles


class RoleRefusedError(LunmapdError):
    """A role can't be given or taken as it was asked for."""

    exit_code = Exit.INVALID


class LockedOutError(LunmapdError):
    """The change would leave us without the right to make another one."""

    exit_code = Exit.CONFLICT

    def __init__(self, who: str) -> None:
        super().__init__(
            f"after that you ({who}) would be no admin any more: grant yourself the role, or do it as another admin; nothing was changed"
        )


def _silent(_: int) -> None:
    pass


class Permissions:
    """The roles in one tree. `said`, where there is one, is told now and then how many znodes were looked at.

    Every method raises NotPermittedError for those who are no admins (readers may read the roles, but no hashes).
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def whoami(self) -> tuple[Identity, ...]:
        """Return who we are to the servers, without hashes of passwords."""
        return self._session.whoami()

    def roles(self) -> Roles:
        """Read everybody's role."""
        return read_roles(self._session)

    def strays(self, said: Callable[[int], None] = _silent) -> int:
        """Count the znodes whose ACL is not what the roles say; any `grant` or `revoke` mends them."""
        return count_strays(self._session, self.roles(), said)

    def grant(self, role: Role, who: Identity, node: str = "", said: Callable[[int], None] = _silent) -> int:
        """Give somebody a role (as `node`, for Role.NODE), in the whole tree; returns how many znodes were changed.

        Broken off, it is to be repeated. Raises RoleRefusedError, LockedOutError, UnknownIdentityError.
        """
        if role is Role.NODE and (sentence := check_name(node)):
            raise RoleRefusedError(sentence)
        try:
            roles = granted(self.roles(), role, who, node)
        except ValueError as error:
            raise RoleRefusedError(str(error)) from None
        return self._set(roles, said)

    def revoke(
        self, role: Role, who: Identity | None, node: str = "", said: Callable[[int], None] = _silent
    ) -> int:
        """Take a role from somebody, or (None) from all who have it; returns as `grant` does. Raises LockedOutError."""
        return self._set(revoked(self.roles(), role, who, node), said)

    def _set(self, roles: Roles, said: Callable[[int], None]) -> int:
        proven = self.whoami()
        if not is_admin(roles, proven):
            raise LockedOutError(" with ".join(map(str, proven)) or "anonymous")
        return set_roles(self._session, roles, said)
