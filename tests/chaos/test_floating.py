"""No floating address is on two nodes, whatever fails; a longer run is `make chaos-floating`."""

from random import Random

import pytest

from chaos.floating import await_service, field, run_faults
from lab import Ensemble, Lab

pytestmark = pytest.mark.integration

_SECONDS = 25.0
_FAULTS = 30


def test_no_address_is_ever_on_two_nodes(
    shared_lab: Lab, trio: Ensemble, request: pytest.FixtureRequest
) -> None:
    """Three groups of two addresses under random faults of nodes and servers: each is served again later."""
    with field(shared_lab, trio, Random(request.node.name)) as made:
        result = run_faults(made, _SECONDS, _FAULTS)
    assert not result.overlaps(), result.faults
    assert not await_service(result), result.faults
    assert result.takes() >= len(result.addresses) == 6
