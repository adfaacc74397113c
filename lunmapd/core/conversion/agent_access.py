"""Who may log in to the targets of a cluster, and as which CHAP user. Pure.

What the agents set is read from iSCSITarget and iSCSILogicalUnit of resource-agents 4.16, and measured with
targetcli on Linux 6.12. A target with `allowed_initiators` has an ACL for each, with the CHAP user. Without
them it is in demo mode with write access, and the CHAP user is that of the TPG, which the kernel asks only
initiators without an ACL for. An ACL that a unit makes has no CHAP user.
"""

from collections.abc import Mapping, Sequence

from lunmapd.core.base.lunmap import Chap, Initiator
from lunmapd.core.base.password import Secret
from lunmapd.core.conversion.cluster_resources import ClusterResource
from lunmapd.core.conversion.conversion import Choices, Notes
from lunmapd.core.map.credentials import CHAP, initiator_path

# A secret of Pacemaker. crmsh and sos print asterisks in place of a password (obscure_pattern in crm.conf).
_HIDDEN = "lrm://"


def allowed_initiators(unit: ClusterResource, target: ClusterResource, choices: Choices) -> tuple[str, ...]:
    """Return the initiators that see a logical unit: targetcli maps it to each ACL of its target.

    A target without a list of its own admits all others, too: the chosen ones.
    """
    named = target.words("allowed_initiators")
    listed = dict.fromkeys(
        (*named, *unit.words("allowed_initiators"), *(() if named else choices.initiators))
    )
    return tuple(name.lower() for name in listed)


def initiators_of_units(
    units: Sequence[ClusterResource],
    targets: Mapping[str, ClusterResource],
    choices: Choices,
    notes: Notes,
) -> dict[str, Initiator]:
    """Return the initiators that the targets and units name, or the choices."""
    found: dict[str, Initiator] = {}
    for unit in units:
        target = targets[unit.parameters["target_iqn"]]
        user = target.parameters.get("incoming_username", "")
        for name in allowed_initiators(unit, target, choices):
            made = Initiator(chap=Chap(user) if user else None)
            notes.carried(target.place, f"initiators[{name}]")
            if found.setdefault(name, made) != made:
                notes.lost(target.place, f"its CHAP user {user!r}: {name} has another one for another target")
            elif user:
                _note_password(target, name, notes)
    return found


def note_access(
    units: Sequence[ClusterResource],
    targets: Mapping[str, ClusterResource],
    choices: Choices,
    notes: Notes,
) -> None:
    """Note the initiators that may see a logical unit today by the parameter of another one."""
    for unit in units:
        _note_demo_mode(unit, targets[unit.parameters["target_iqn"]], notes)
    allowed = [
        (unit, {*allowed_initiators(unit, targets[unit.parameters["target_iqn"]], choices)}) for unit in units
    ]
    admitted: dict[str, set[str]] = {}
    for unit, own in allowed:
        admitted.setdefault(unit.parameters["target_iqn"], set()).update(own)
    for unit, own in allowed:
        if others := sorted(admitted[unit.parameters["target_iqn"]] - own):
            notes.changed(
                unit.place,
                f"{', '.join(others)} may see it too today, since targetcli maps a new LUN to each ACL of "
                "its target: the map gives it to its own allowed_initiators and to those of the target",
            )


def _note_demo_mode(unit: ClusterResource, target: ClusterResource, notes: Notes) -> None:
    """Note what a unit's own list does at a target without one."""
    names = " ".join(unit.words("allowed_initiators"))
    if not names or target.words("allowed_initiators"):
        return
    notes.changed(
        unit.place,
        f"{target.name} has no allowed_initiators, so every other initiator may log in today and see it: the "
        "map admits those that it names, and --initiator names more",
    )
    if user := target.parameters.get("incoming_username", ""):
        notes.changed(
            unit.place,
            f"{names} can't log in today, since its ACL lacks the CHAP user: the map admits it as {user!r}",
        )


def _note_password(target: ClusterResource, initiator: str, notes: Notes) -> None:
    password = target.parameters.get("incoming_password", "")
    if not password.strip("*") or password.startswith(_HIDDEN):
        notes.lost(target.place, "its incoming_password, which the file has not")
    else:
        notes.passwords[initiator_path(initiator), CHAP] = Secret(password)
