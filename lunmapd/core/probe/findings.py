"""The differences between what the map promises and what the probe was answered."""

from enum import StrEnum

from msgspec import Struct


class FindingReason(StrEnum):
    """Why something is not as the map promises: one word for programs. docs/probe.md explains each."""

    # Of a portal.
    PORTAL_UNREACHABLE = "PortalUnreachable"
    PORTAL_SILENT = "PortalSilent"
    DISCOVERY_REFUSED = "DiscoveryRefused"
    # Of a target on a portal.
    NOT_LISTED = "NotListed"
    LISTED = "Listed"
    LOGIN_REFUSED = "LoginRefused"
    LOGIN_FAILED = "LoginFailed"
    # Of a LUN on a portal.
    LUN_MISSING = "LunMissing"
    LUN_UNEXPECTED = "LunUnexpected"
    NO_DEVICE = "NoDevice"
    NOT_READY = "NotReady"
    COMMAND_FAILED = "CommandFailed"
    READ_FAILED = "ReadFailed"
    WRITABLE = "Writable"
    IDENTITY_DIFFERS = "IdentityDiffers"
    SIZE_DIFFERS = "SizeDiffers"
    BLOCK_SIZE_DIFFERS = "BlockSizeDiffers"
    ALUA_DIFFERS = "AluaDiffers"
    # Of the paths of a Lun.
    PATHS_DIFFER = "PathsDiffer"
    NOT_MAPPED = "NotMapped"
    # Of any of them.
    NOT_PROBED = "NotProbed"


class Finding(Struct, frozen=True, kw_only=True):
    """A difference: where it was found, its reason, and a sentence. A field that does not apply is ""."""

    reason: FindingReason
    message: str
    node: str = ""
    portal: str = ""
    target: str = ""
    lun: str = ""
