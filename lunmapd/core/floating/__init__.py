"""Floating portal groups: the lease of an address, the next action of a node, and the choice of the owner."""
