"""The note of Luns that hosts may still hold."""

from lunmapd.core.fleet.status import FormerOccupant, Standing
from lunmapd.service.ctl.text.node_lines import NodeLine, former_lines

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"


def line(*former: FormerOccupant, count: int | None = None, node: str = "n1") -> NodeLine:
    """Return the line of a node that is well."""
    many = len(former) if count is None else count
    return NodeLine(
        node, True, Standing.CONVERGED, 7, 7, 0, "", 0.0, 1, 1, 0, "", (), former=former, former_count=many
    )


def test_a_host_has_one_line_for_each_target() -> None:
    """It names numbers, Luns and revisions; without former LUNs there is none."""
    assert list(former_lines([line()])) == []
    held = [FormerOccupant(T, H, number, f"l{number}", "s", 4) for number in (5, 6)]
    (note,) = former_lines([line(*held)])
    assert note == (
        f"n1: {H} may still hold former LUNs of {T}, until it logs out there: "
        "5 (l5, until revision 4), 6 (l6, until revision 4)"
    )


def test_the_lines_are_bounded() -> None:
    """Further hosts, and entries that the status does not list, are counted."""
    held = [FormerOccupant(T, f"{H}{number}", 5, "x", "s", 4) for number in range(7)]
    *notes, rest = former_lines([line(*held, count=300)])
    assert len(notes) == 5
    assert rest == "n1: hosts may still hold 295 more former LUNs"


def test_nodes_share_a_line() -> None:
    """Where a host may hold the same of each; otherwise a node has its own."""
    held = [FormerOccupant(T, H, number, "x", "s", 4) for number in (5, 6)]
    nodes = [line(held[0], node="n1"), line(*held, node="n2"), line(held[0], node="n3")]
    assert [note.partition(" may")[0] for note in former_lines(nodes)] == [f"n1, n3: {H}", f"n2: {H}"]
