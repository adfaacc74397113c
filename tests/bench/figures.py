"""The list of all figures, in the order in which they are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import cold_apply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure import Figure

FIGURES: Sequence[Figure] = (*cold_apply.FIGURES,)
