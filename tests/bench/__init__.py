"""The benchmark: what lunmapd costs, each figure beside the bare price of the same thing on the same machine in the same run."""
