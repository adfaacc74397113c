"""Reasons are compared by programs: their values stay, with any class names of errors."""

import pytest

from lunmapd.agent.floating import addresses, tpgs
from lunmapd.agent.loop.pass_input import NodeUnknownError, NoMapError
from lunmapd.agent.loop.report import reason_of
from lunmapd.agent.loop.unexpected import UnexpectedError, UnexpectedReadError
from lunmapd.agent.reconcile.result import RemovalHeldError
from lunmapd.agent.state.claims import ClaimsUnreadableError, ClaimsUnwritableError
from lunmapd.core.base.documents import decode
from lunmapd.core.base.errors import ConditionError, LunmapdError
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED, Condition, Failing, NodeStatus, standing_of
from lunmapd.lio.worker.kernel import KernelUnreadableError
from lunmapd.store.session import access_errors, errors

# As they were while they were made of the names of classes. A new reason is added; none of these changes.
VALUES = {
    "Alone", "AsCommitted", "AttributeUnsupported", "BackingDeviceMissing", "BackingHangs", "BackingReadOnly", "BackingReplaced",
    "BackingTruncated", "BackingUnreadable", "BackingUnusable", "BlockSizeMismatch", "ClaimsUnreadable",
    "ClaimsUnwritable", "Credentials", "Damaged", "DocumentInvalid", "DocumentUnreadable", "Draining", "Drifted", "EditRefused",
    "EditedAround", "Failing", "ForeignCluster", "ForeignDirectory", "ForeignTarget", "FromSnapshot", "HandlerAway", "Held", "InUse", "Internal", "Isolated",
    "Kept", "KernelRefused", "KernelUnreadable", "LeftEmpty", "Lost", "Moving", "NewerSchema", "NoClient", "NoContactYet", "NoMap", "NoSnapshot",
    "NodeNameTaken", "NodeUnknown", "NotAuthenticated", "NotInitialised", "NotPermitted", "NotRead", "NotRestored", "Offered",
    "PortIdTaken", "PortalAddressMissing", "PortalInUse", "PortalRefused", "Read", "Refused", "Remaining", "RemovalHeld", "Restored", "SaslMissing", "SavedElsewhere",
    "SecretUndecodable", "SecretUnfit", "Seen", "SerialImmutable", "SizeMismatch", "SnapshotDamaged", "SnapshotTooOld",
    "Stuck", "Surprised", "TlsFailed", "UnknownIdentity", "Unreachable", "Unsteady", "Unwritable", "Waiting", "WentBack",
    "Withheld", "WorkerDied",
    "AddressInUse", "HookFailed", "LeaseLost", "LeaseProcess", "LeaseUnbounded", "NoFitNode", "NoInterface", "NoLink", "NotPromotable", "Owned", "Standby",
}  # fmt: skip

ERRORS: list[tuple[type[ConditionError], str]] = [
    (NodeUnknownError, "NodeUnknown"),
    (NoMapError, "NoMap"),
    (RemovalHeldError, "RemovalHeld"),
    (ClaimsUnreadableError, "ClaimsUnreadable"),
    (ClaimsUnwritableError, "ClaimsUnwritable"),
    (UnexpectedError, "Internal"),
    (UnexpectedReadError, "Internal"),
    (KernelUnreadableError, "KernelUnreadable"),
    (addresses.NoInterfaceError, "NoInterface"),
    (addresses.GrantLateError, "LeaseUnbounded"),
    (addresses.LeaseProcessError, "LeaseProcess"),
    (addresses.HookFailedError, "HookFailed"),
    (tpgs.TpgError, "KernelRefused"),
    (tpgs.TpgStuckError, "Stuck"),
    (tpgs.ForeignTpgError, "ForeignTarget"),
    (errors.UnreachableError, "Unreachable"),
    (errors.LostError, "Lost"),
    (errors.NotServedError, "Lost"),
    (errors.NoClientError, "NoClient"),
    (errors.ServerRefusedError, "Refused"),
    (errors.NotInitialisedError, "NotInitialised"),
    (errors.ForeignClusterError, "ForeignCluster"),
    (errors.WentBackError, "WentBack"),
    (errors.RestoredError, "Restored"),
    (errors.NewerSchemaError, "NewerSchema"),
    (errors.DamagedError, "Damaged"),
    (errors.UnsteadyError, "Unsteady"),
    (errors.NodeNameTakenError, "NodeNameTaken"),
    (access_errors.TlsFailedError, "TlsFailed"),
    (access_errors.CredentialsError, "Credentials"),
    (access_errors.SaslMissingError, "SaslMissing"),
    (access_errors.NotAuthenticatedError, "NotAuthenticated"),
    (access_errors.UnknownIdentityError, "UnknownIdentity"),
    (access_errors.NotPermittedError, "NotPermitted"),
]


def test_no_value_changes() -> None:
    """The values of reasons are constant."""
    assert set(Reason) == VALUES


@pytest.mark.parametrize(("kind", "value"), ERRORS)
def test_an_error_declares_its_reason(kind: type[ConditionError], value: str) -> None:
    """The reason is an attribute of the class, independent of its name."""
    assert kind.reason == value


def test_each_error_of_a_condition_is_pinned() -> None:
    """A class that is added here or there is added to the list above."""

    def leaves(kind: type[ConditionError]) -> set[type[ConditionError]]:
        own = {kind} if "reason" in vars(kind) else set()
        return own.union(*(leaves(below) for below in kind.__subclasses__()))

    assert {kind for kind in leaves(ConditionError) if kind.__module__.startswith("lunmapd.")} == {
        kind for kind, _ in ERRORS
    }


def test_a_class_without_a_reason_is_refused() -> None:
    """When it is defined, and by the type checker before."""
    with pytest.raises(TypeError, match="reason"):
        type("ForgetfulError", (ConditionError,), {})


def test_an_unexpected_error_is_internal() -> None:
    """It is a condition all the same, and the daemon goes on."""

    class SomethingError(LunmapdError):
        """An error that no cycle raises."""

    assert reason_of(SomethingError()) is Reason.INTERNAL
    assert reason_of(errors.UnsteadyError(3)) is Reason.UNSTEADY


def test_a_status_of_another_version_may_have_other_reasons() -> None:
    """Unknown reasons are decoded, and count like known ones: false conditions and failing objects."""
    status = decode(
        b'{"boot":"b","version":"9","time":"","observed":{"cluster":"c","revision":1,"digest":"d"},"conditions":[{"type":"Applied","status":false,"reason":"New",'
        b'"message":"","since":""}],"failing":[{"object":"target t","reason":"Newer","message":""}],"failing_count":1}',
        NodeStatus,
    )
    assert status.conditions == (Condition(APPLIED, status=False, reason="New", message="", since=""),)
    assert status.failing == (Failing("target t", "Newer", ""),)
    assert status.false_conditions == {APPLIED: "New"}
    assert standing_of(status) == "degraded"
