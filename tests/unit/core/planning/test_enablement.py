"""The enablement of an isolated node."""

import pytest

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.core.planning.enablement import (
    Enablement,
    change_enablement_only,
    enabled_objects,
    limit_enablement,
)
from lunmapd.core.planning.plan import Action, plan

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
TPGS = lio_objects.by_key(
    [
        lio_objects.Target(T),
        lio_objects.Tpg(T, 1, TPG_ATTRIBUTES, TPG_PARAMETERS),
        lio_objects.NodeAcl(T, 1, "h"),
        lio_objects.Target(U),
        lio_objects.Tpg(U, 1, TPG_ATTRIBUTES, TPG_PARAMETERS),
    ]
)
OPEN_T, OPEN_U = (
    lio_objects.by_key([lio_objects.Enabled(T, 1, 0)]),
    lio_objects.by_key([lio_objects.Enabled(U, 1, 0)]),
)
DESIRED = {**TPGS, **OPEN_T, **OPEN_U}


@pytest.mark.parametrize(
    ("enablement", "expected"),
    [(Enablement.ALL, {**OPEN_T, **OPEN_U}), (Enablement.KEPT, OPEN_T), (Enablement.NONE, {})],
)
def test_enablement_changes_enabled_objects_only(
    enablement: Enablement, expected: lio_objects.DesiredObjects
) -> None:
    """With one TPG open the node keeps all, that one, or none enabled; everything else stays ready."""
    assert limit_enablement(DESIRED, {**TPGS, **OPEN_T}, enablement) == {**TPGS, **expected}


def test_closed_tpgs_are_opened_and_nothing_else() -> None:
    """Where nothing may change, TPGs are enabled that the last map followed enables and this one does too."""
    extra = lio_objects.by_key([lio_objects.NodeAcl(T, 1, "old")])
    tpg = lio_objects.Tpg(T, 1, TPG_ATTRIBUTES, TPG_PARAMETERS)
    observed = {**lio_objects.by_key([lio_objects.Target(T), tpg]), **extra}
    offered = enabled_objects(lio_objects.by_key([lio_objects.Enabled(T, 1, 7)]))
    steps = plan(change_enablement_only(DESIRED, observed, Enablement.ALL, offered), observed)
    assert [(step.action, step.item) for step in steps] == [(Action.CREATE, lio_objects.Enabled(T, 1, 7))]
    assert change_enablement_only(DESIRED, observed, Enablement.KEPT, offered) == observed
    assert change_enablement_only(DESIRED, observed, Enablement.ALL, enabled_objects(OPEN_U)) == observed
    assert change_enablement_only(TPGS, observed, Enablement.ALL, offered) == observed


@pytest.mark.parametrize(
    "tpg",
    [
        lio_objects.Tpg(T, 1, (*TPG_ATTRIBUTES[1:], ("authentication", "1")), TPG_PARAMETERS),
        lio_objects.Tpg(T, 1, (*TPG_ATTRIBUTES[:-1], ("generate_node_acls", "1")), TPG_PARAMETERS),
        lio_objects.Tpg(T, 1, TPG_ATTRIBUTES, (("TargetAlias", "LIO Target"),)),
    ],
    ids=["other authentication", "takes everybody", "half-made"],
)
def test_a_tpg_that_lets_in_otherwise_is_not_opened(tpg: lio_objects.Tpg) -> None:
    """Where nothing may change, no TPG is enabled whose rules of access, or mark, are not as the map says."""
    wanted = lio_objects.Tpg(T, 1, TPG_ATTRIBUTES, TPG_PARAMETERS)
    desired = lio_objects.by_key([lio_objects.Target(T), wanted]) | OPEN_T
    observed = lio_objects.by_key([lio_objects.Target(T), tpg])
    assert change_enablement_only(desired, observed, Enablement.ALL, enabled_objects(OPEN_T)) == observed


def test_open_tpgs_are_closed_and_nothing_else() -> None:
    """Where nothing may change, an isolated node still disables its enabled TPGs."""
    observed = {**TPGS, **OPEN_U}
    assert change_enablement_only(DESIRED, observed, Enablement.NONE) == TPGS
    assert change_enablement_only(TPGS, observed, Enablement.ALL) == observed


def test_a_drained_node_closes_what_its_map_does_not_open() -> None:
    """Where nothing may change, a drain still disables the TPGs; one that the map keeps enabled stays so."""
    observed = {**TPGS, **OPEN_T, **OPEN_U}
    wanted = {**TPGS, **OPEN_T}
    closed = change_enablement_only(wanted, observed, Enablement.ALL, is_drained=True)
    assert closed == wanted
