"""The list of all figures, in the order in which they are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import (
    cold_apply,
    commits,
    floating,
    full_read,
    latency,
    many_nodes,
    node_start,
    passes,
    resident,
    rules,
    start,
    status,
    verbs,
    watches,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure import Figure

FIGURES: Sequence[Figure] = (
    *cold_apply.FIGURES,
    *passes.FIGURES,
    *resident.FIGURES,
    *node_start.FIGURES,
    *commits.FIGURES,
    *latency.FIGURES,
    *many_nodes.FIGURES,
    *full_read.FIGURES,
    *rules.FIGURES,
    *status.FIGURES,
    *watches.FIGURES,
    *start.FIGURES,
    *floating.FIGURES,
    *verbs.FIGURES,
)
