"""The public Python API: everything that `lunmapctl` does, typed. docs/client.md has examples.

The names in `__all__`, and the public attributes and methods of the objects that they name, follow Semantic
Versioning together with the version of the package: they are kept within a major version, and additions to
them have defaults. Everything else in the package may change at any time.

The module of a name is imported when the name is first used: a program that uses few of them starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lunmapd.client.access import LockedOutError, Permissions, RoleRefusedError, ZnodesLeftError
    from lunmapd.client.client import Client
    from lunmapd.client.drain import NotDrainedError
    from lunmapd.client.file_merge import BaseTrimmedError, FieldConflict, FileConflictError, ForeignFileError
    from lunmapd.client.files import BackupFileError
    from lunmapd.client.first_nodes import FirstNodes, RolloutHaltedError
    from lunmapd.client.fleet import Fleet, NotAppliedError
    from lunmapd.client.floating import (
        FloatingGroupStatus,
        GroupCandidate,
        NoSuchGroupError,
        NotFitError,
        NotMovedError,
    )
    from lunmapd.client.note import Note, Prefer, Proposal
    from lunmapd.client.revert import RevertConflictError
    from lunmapd.client.rollouts import FirstNodesDeadError
    from lunmapd.core.base.backings import Backing, Block, FileIO, Pscsi, RamDisk, User
    from lunmapd.core.base.errors import InvalidInputError, LunmapdError, Problem
    from lunmapd.core.base.lunmap import (
        Access,
        AluaState,
        Authentication,
        Chap,
        Discovery,
        Failback,
        FloatingGroup,
        Group,
        Initiator,
        Lun,
        Lunmap,
        Map,
        Node,
        NodeState,
        PortalGroup,
        Shared,
        Takeover,
        Target,
    )
    from lunmapd.core.base.password import Secret
    from lunmapd.core.base.permissions.access import Roles, parse_principal, with_password
    from lunmapd.core.base.permissions.acl_entries import AclDifference
    from lunmapd.core.base.permissions.principals import Principal, Role
    from lunmapd.core.edits.maps import FreeNumbers
    from lunmapd.core.fleet.lag import Lag, UnappliedRevision
    from lunmapd.core.fleet.logins import Host
    from lunmapd.core.fleet.lun_paths import LunPaths
    from lunmapd.core.fleet.node_path import NodePath
    from lunmapd.core.fleet.only_ways import OnlyWay
    from lunmapd.core.fleet.progress import Progress, Stage
    from lunmapd.core.fleet.status import Live, NodeStatus
    from lunmapd.core.history.backup import BackupError, Title
    from lunmapd.core.history.changes import Allowance, Change, Revision
    from lunmapd.core.history.fields import Difference, FieldChange, differences
    from lunmapd.core.history.last_changes import LastChange
    from lunmapd.core.map.file_base import FileBase, base_of
    from lunmapd.core.map.mapfile import parse_map, show_map
    from lunmapd.store.commit.commit_errors import (
        BusyError,
        ConflictError,
        EditedMeanwhileError,
        NestedCommitError,
        NoRolloutError,
        NothingStagedError,
        OutcomeUnknownError,
        RolloutEditedError,
        RolloutPendingError,
        RolloutTooLargeError,
        RolloutUndoneError,
        RolloutWaitsError,
        StagedError,
        StoppedError,
        TakenOverError,
        UnexpectedRevisionError,
    )
    from lunmapd.store.session.access_errors import (
        CredentialsError,
        NotAuthenticatedError,
        NotPermittedError,
        TlsFailedError,
        UnknownIdentityError,
    )
    from lunmapd.store.session.credentials import Credentials, PasswordLogin, Tls
    from lunmapd.store.session.errors import (
        AlreadyInitialisedError,
        NoClientError,
        NotInitialisedError,
        OlderSchemaError,
        StoreError,
        UnreachableError,
    )
    from lunmapd.store.session.limits import KEEP, TooLargeError
    from lunmapd.store.session.session import Session
    from lunmapd.store.tree.history_errors import (
        HistoryTrimmedError,
        HistoryUnknownError,
        NoSuchRevisionError,
        PartOnlyError,
    )
    from lunmapd.store.tree.members import FleetNode
    from lunmapd.store.tree.snapshot import Meta, Snapshot
    from lunmapd.store.upkeep.forget import Forgotten, NeverRegisteredError, NodeInUseError
    from lunmapd.store.upkeep.migrate import OldNodesError
    from lunmapd.store.upkeep.restore_errors import BadBackupError, RestoreBusyError, TreeExistsError
    from lunmapd.store.upkeep.trim import Trimmed

__all__ = [
    "KEEP",
    "Access",
    "AclDifference",
    "Allowance",
    "AlreadyInitialisedError",
    "AluaState",
    "Authentication",
    "Backing",
    "BackupError",
    "BackupFileError",
    "BadBackupError",
    "BaseTrimmedError",
    "Block",
    "BusyError",
    "Change",
    "Chap",
    "Client",
    "ConflictError",
    "Credentials",
    "CredentialsError",
    "Difference",
    "Discovery",
    "EditedMeanwhileError",
    "Failback",
    "FieldChange",
    "FieldConflict",
    "FileBase",
    "FileConflictError",
    "FileIO",
    "FirstNodes",
    "FirstNodesDeadError",
    "Fleet",
    "FleetNode",
    "FloatingGroup",
    "FloatingGroupStatus",
    "ForeignFileError",
    "Forgotten",
    "FreeNumbers",
    "Group",
    "GroupCandidate",
    "HistoryTrimmedError",
    "HistoryUnknownError",
    "Host",
    "Initiator",
    "InvalidInputError",
    "Lag",
    "LastChange",
    "Live",
    "LockedOutError",
    "Lun",
    "LunPaths",
    "Lunmap",
    "LunmapdError",
    "Map",
    "Meta",
    "NestedCommitError",
    "NeverRegisteredError",
    "NoClientError",
    "NoRolloutError",
    "NoSuchGroupError",
    "NoSuchRevisionError",
    "Node",
    "NodeInUseError",
    "NodePath",
    "NodeState",
    "NodeStatus",
    "NotAppliedError",
    "NotAuthenticatedError",
    "NotDrainedError",
    "NotFitError",
    "NotInitialisedError",
    "NotMovedError",
    "NotPermittedError",
    "Note",
    "NothingStagedError",
    "OldNodesError",
    "OlderSchemaError",
    "OnlyWay",
    "OutcomeUnknownError",
    "PartOnlyError",
    "PasswordLogin",
    "Permissions",
    "PortalGroup",
    "Prefer",
    "Principal",
    "Problem",
    "Progress",
    "Proposal",
    "Pscsi",
    "RamDisk",
    "RestoreBusyError",
    "RevertConflictError",
    "Revision",
    "Role",
    "RoleRefusedError",
    "Roles",
    "RolloutEditedError",
    "RolloutHaltedError",
    "RolloutPendingError",
    "RolloutTooLargeError",
    "RolloutUndoneError",
    "RolloutWaitsError",
    "Secret",
    "Session",
    "Shared",
    "Snapshot",
    "Stage",
    "StagedError",
    "StoppedError",
    "StoreError",
    "TakenOverError",
    "Takeover",
    "Target",
    "Title",
    "Tls",
    "TlsFailedError",
    "TooLargeError",
    "TreeExistsError",
    "Trimmed",
    "UnappliedRevision",
    "UnexpectedRevisionError",
    "UnknownIdentityError",
    "UnreachableError",
    "User",
    "ZnodesLeftError",
    "base_of",
    "differences",
    "parse_map",
    "parse_principal",
    "show_map",
    "with_password",
]

# The same names as the imports above, which only type checkers see.
_NAMES: Mapping[str, str] = {
    "client.access": "LockedOutError Permissions RoleRefusedError ZnodesLeftError",
    "client.client": "Client",
    "client.drain": "NotDrainedError",
    "client.file_merge": "BaseTrimmedError FieldConflict FileConflictError ForeignFileError",
    "client.files": "BackupFileError",
    "client.first_nodes": "FirstNodes RolloutHaltedError",
    "client.fleet": "Fleet NotAppliedError",
    "client.floating": "FloatingGroupStatus GroupCandidate NoSuchGroupError NotFitError NotMovedError",
    "client.note": "Note Prefer Proposal",
    "client.revert": "RevertConflictError",
    "client.rollouts": "FirstNodesDeadError",
    "core.base.permissions.access": "Roles parse_principal with_password",
    "core.base.permissions.acl_entries": "AclDifference",
    "core.base.backings": "Backing Block FileIO Pscsi RamDisk User",
    "core.base.errors": "InvalidInputError LunmapdError Problem",
    "core.base.lunmap": (
        "Access AluaState Authentication Chap Discovery Failback FloatingGroup Group Initiator "
        "Lun Lunmap Map Node NodeState PortalGroup Shared Takeover Target"
    ),
    "core.base.password": "Secret",
    "core.base.permissions.principals": "Principal Role",
    "core.edits.maps": "FreeNumbers",
    "core.fleet.lag": "Lag UnappliedRevision",
    "core.fleet.logins": "Host",
    "core.fleet.lun_paths": "LunPaths",
    "core.fleet.node_path": "NodePath",
    "core.fleet.only_ways": "OnlyWay",
    "core.fleet.progress": "Progress Stage",
    "core.fleet.status": "Live NodeStatus",
    "core.history.backup": "BackupError Title",
    "core.history.changes": "Allowance Change Revision",
    "core.history.fields": "Difference FieldChange differences",
    "core.history.last_changes": "LastChange",
    "core.map.file_base": "FileBase base_of",
    "core.map.mapfile": "parse_map show_map",
    "store.commit.commit_errors": (
        "BusyError ConflictError EditedMeanwhileError NestedCommitError NoRolloutError NothingStagedError "
        "OutcomeUnknownError RolloutEditedError RolloutPendingError RolloutTooLargeError RolloutUndoneError "
        "RolloutWaitsError StagedError StoppedError TakenOverError UnexpectedRevisionError"
    ),
    "store.session.access_errors": (
        "CredentialsError NotAuthenticatedError NotPermittedError TlsFailedError UnknownIdentityError"
    ),
    "store.session.credentials": "Credentials PasswordLogin Tls",
    "store.session.errors": (
        "AlreadyInitialisedError NoClientError NotInitialisedError "
        "OlderSchemaError StoreError UnreachableError"
    ),
    "store.session.limits": "KEEP TooLargeError",
    "store.session.session": "Session",
    "store.tree.history_errors": "HistoryTrimmedError HistoryUnknownError NoSuchRevisionError PartOnlyError",
    "store.tree.members": "FleetNode",
    "store.tree.snapshot": "Meta Snapshot",
    "store.upkeep.forget": "Forgotten NeverRegisteredError NodeInUseError",
    "store.upkeep.migrate": "OldNodesError",
    "store.upkeep.restore_errors": "BadBackupError RestoreBusyError TreeExistsError",
    "store.upkeep.trim": "Trimmed",
}
_HOMES = {name: f"lunmapd.{module}" for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562). Raises AttributeError."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
