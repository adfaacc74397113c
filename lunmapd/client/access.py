"""The roles of principals in the tree of a cluster."""

from lunmapd.core.base.access import Principal, Role, Roles, is_admin, with_grant, without_grant
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.names import check_name
from lunmapd.store.session.session import Session
from lunmapd.store.tree.acl import ScanProgress
from lunmapd.store.tree.roles import count_strays, read_roles, set_roles


class RoleRefusedError(LunmapdError):
    """A role can't be granted or revoked as requested."""

    exit_code = Exit.INVALID


class LockedOutError(LunmapdError):
    """The change would leave this client without the right to make another change."""

    exit_code = Exit.CONFLICT

    def __init__(self, who: str) -> None:
        super().__init__(
            f"after this change you ({who}) would not be an admin: grant yourself the role first, "
            "or make the change as another admin; nothing was changed"
        )


def _no_progress(_: int) -> None:
    pass


class Permissions:
    """The roles in one tree.

    `progress`, if given, is called now and then with the number of znodes read so far. Every method raises
    NotPermittedError for a principal without the role admin; a reader may read the roles, but no hashes of
    digests.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def whoami(self) -> tuple[Principal, ...]:
        """Return the principals that the servers authenticated this client as.

        Hashes of passwords are left out.
        """
        return self._session.whoami()

    def roles(self) -> Roles:
        """Read the roles of all principals. Raises NotInitialisedError."""
        return read_roles(self._session)

    def strays(self, progress: ScanProgress = _no_progress) -> int:
        """Return the number of znodes whose ACL does not follow from the roles.

        Any `grant` or `revoke` corrects them.
        """
        return count_strays(self._session, self.roles(), progress)

    def grant(self, role: Role, who: Principal, node: str = "", progress: ScanProgress = _no_progress) -> int:
        """Grant a role to a principal in the whole tree; return the number of znodes that were changed.

        `node` names the node for Role.NODE. Repeat a call that was interrupted. Raises RoleRefusedError,
        LockedOutError, and UnknownIdentityError.
        """
        if role is Role.NODE and (sentence := check_name(node)):
            raise RoleRefusedError(sentence)
        try:
            roles = with_grant(self.roles(), role, who, node)
        except ValueError as error:
            raise RoleRefusedError(str(error)) from None
        return self._set(roles, progress)

    def revoke(
        self, role: Role, who: Principal | None, node: str = "", progress: ScanProgress = _no_progress
    ) -> int:
        """Revoke a role from a principal, or (None) from all that have it.

        Returns the number of changed znodes. Raises LockedOutError.
        """
        return self._set(without_grant(self.roles(), role, who, node), progress)

    def _set(self, roles: Roles, progress: ScanProgress) -> int:
        proven = self.whoami()
        if not is_admin(roles, proven):
            raise LockedOutError(" with ".join(map(str, proven)) or "anonymous")
        return set_roles(self._session, roles, progress)
