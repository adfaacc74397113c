"""The public Python API: what `lunmapctl` does, typed; docs/client.md has examples.

The names in `__all__`, and the public attributes and methods of what they name, follow Semantic Versioning together with
the version of the package: within a major version they are kept, and what is added to them has defaults. All else in
the package may change at any time.
"""

from lunmapd.client.access import LockedOutError, Permissions, RoleRefusedError
from lunmapd.client.client import Client, Note, Proposal
from lunmapd.client.files import BackupFileError
from lunmapd.client.fleet import Fleet, NotAppliedError
from lunmapd.core.access import Identity, Role, Roles, parse_identity, with_password
from lunmapd.core.backings import Backing, Block, FileIO, Pscsi, RamDisk, User
from lunmapd.core.backup import BackupError, Title
from lunmapd.core.changes import Allowance, Change, Revision
from lunmapd.core.errors import InvalidInputError, LunmapdError, Problem
from lunmapd.core.fields import Difference, FieldChange, differences
from lunmapd.core.lag import Lag, Missed
from lunmapd.core.lunmap import (
    Access,
    AluaState,
    Authentication,
    Chap,
    Discovery,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Shared,
    Target,
)
from lunmapd.core.lunpaths import Host, LunPaths, NodePath
from lunmapd.core.mapfile import parse as parse_map
from lunmapd.core.mapfile import show as show_map
from lunmapd.core.password import Secret
from lunmapd.core.status import Live, NodeStatus
from lunmapd.store.access_errors import (
    CredentialsError,
    NotAuthenticatedError,
    NotPermittedError,
    TlsFailedError,
    UnknownIdentityError,
)
from lunmapd.store.commit_errors import (
    BusyError,
    ConflictError,
    EditedMeanwhileError,
    NothingStagedError,
    OutcomeUnknownError,
    StagedError,
    StoppedError,
    TakenOverError,
    TooLargeError,
    UnexpectedRevisionError,
)
from lunmapd.store.credentials import Credentials, Login, Tls
from lunmapd.store.errors import (
    AlreadyInitialisedError,
    NoClientError,
    NotInitialisedError,
    OlderSchemaError,
    StoreError,
    UnreachableError,
)
from lunmapd.store.forget import Forgotten, NeverRegisteredError, NodeInUseError
from lunmapd.store.history_errors import (
    HistoryTrimmedError,
    HistoryUnknownError,
    NoSuchRevisionError,
    PartOnlyError,
)
from lunmapd.store.migrate import OldNodesError
from lunmapd.store.node import FleetNode
from lunmapd.store.restore_errors import BadBackupError, RestoreBusyError, TreeExistsError
from lunmapd.store.session import Session
from lunmapd.store.snapshot import Meta, Snapshot
from lunmapd.store.trim import KEEP, Trimmed

__all__ = [
    "KEEP",
    "Access",
    "Allowance",
    "AlreadyInitialisedError",
    "AluaState",
    "Authentication",
    "Backing",
    "BackupError",
    "BackupFileError",
    "BadBackupError",
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
    "FieldChange",
    "FileIO",
    "Fleet",
    "FleetNode",
    "Forgotten",
    "Group",
    "HistoryTrimmedError",
    "HistoryUnknownError",
    "Host",
    "Identity",
    "Initiator",
    "InvalidInputError",
    "Lag",
    "Live",
    "LockedOutError",
    "Login",
    "Lun",
    "LunPaths",
    "Lunmap",
    "LunmapdError",
    "Map",
    "Meta",
    "Missed",
    "NeverRegisteredError",
    "NoClientError",
    "NoSuchRevisionError",
    "Node",
    "NodeInUseError",
    "NodePath",
    "NodeState",
    "NodeStatus",
    "NotAppliedError",
    "NotAuthenticatedError",
    "NotInitialisedError",
    "NotPermittedError",
    "Note",
    "NothingStagedError",
    "OldNodesError",
    "OlderSchemaError",
    "OutcomeUnknownError",
    "PartOnlyError",
    "Permissions",
    "PortalGroup",
    "Problem",
    "Proposal",
    "Pscsi",
    "RamDisk",
    "RestoreBusyError",
    "Revision",
    "Role",
    "RoleRefusedError",
    "Roles",
    "Secret",
    "Session",
    "Shared",
    "Snapshot",
    "StagedError",
    "StoppedError",
    "StoreError",
    "TakenOverError",
    "Target",
    "Title",
    "Tls",
    "TlsFailedError",
    "TooLargeError",
    "TreeExistsError",
    "Trimmed",
    "UnexpectedRevisionError",
    "UnknownIdentityError",
    "UnreachableError",
    "User",
    "differences",
    "parse_identity",
    "parse_map",
    "show_map",
    "with_password",
]
