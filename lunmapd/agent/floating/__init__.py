"""Floating portal groups on a node: their addresses, and the loop that follows their leases."""
