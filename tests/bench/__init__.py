"""The benchmark: the cost of lunmapd beside the bare price of the same work in the same run."""
