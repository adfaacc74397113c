"""The znodes of floating portal groups and takeover groups that a map needs."""

import logging
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from lunmapd.core.base.lunmap import GroupId, Lunmap
from lunmapd.core.base.permissions.access import AclEntries, acl_at
from lunmapd.core.base.permissions.principals import FLOATING
from lunmapd.core.placement.leased_groups import leased_groups
from lunmapd.store.commit.commit_errors import CommitInterruptedError
from lunmapd.store.session import paths
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import with_owners
from lunmapd.store.tree.permissions.acl import read_acls, request_set_acls
from lunmapd.store.tree.permissions.roles import create_znode, read_roles

_log = logging.getLogger(__name__)


def keep_leases(session: Session, lunmap: Lunmap, made: int | None) -> None:
    """Create the missing znodes of the groups of a map, and set the ACLs that differ from their lists.

    The map is committed already, as the revision `made`, or was so before (None). So an error is only
    logged, and an interrupt raises CommitInterruptedError. A later commit completes the work. Nothing is
    deleted: a lease that was deleted could be taken by another node while its owner still has the address.
    """
    lists = {name: group.nodes for name, group in leased_groups(lunmap).items()}
    if not lists:
        return
    try:
        _keep_all(session, lists)
    except StoreError as error:
        _log.warning("the znodes of floating groups were not all made, another commit makes them: %s", error)
    except KeyboardInterrupt:
        raise CommitInterruptedError.after(made) from None


def _keep_all(session: Session, lists: Mapping[GroupId, tuple[str, ...]]) -> None:
    roles = read_roles(session)
    roles = replace(roles, groups={**roles.groups, **with_owners(session, lists)})
    wanted = [FLOATING, *(path for group, nodes in lists.items() for path in _paths(group, nodes))]
    for path, there in zip(wanted, read_acls(session, wanted), strict=True):
        _keep(session, path, there, acl_at(roles, path))


def _paths(group: GroupId, nodes: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of the znodes of a group that stay, parents first."""
    yield paths.floating_group(group)
    yield paths.lease_of(group)
    yield paths.wish_of(group)
    yield paths.candidates_of(group)
    yield from (paths.candidate_of(group, node) for node in nodes)


def _keep(session: Session, path: str, there: AclEntries | None, acl: AclEntries) -> None:
    if there is None:
        create_znode(session, path, acl=acl)
    elif there != acl:
        session.repeat(request_set_acls(session.path(path), acl), path)
