"""The node's side: one pass from the map to the kernel, and the loop around it."""
