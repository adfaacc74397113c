"""The demo: what lunmapd is for, shown on real kernels in a few minutes."""
