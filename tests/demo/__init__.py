"""The demo: lunmapd on real kernels in a few minutes."""
