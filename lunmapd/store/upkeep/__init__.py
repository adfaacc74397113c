"""Upkeep of the tree: making, backing up, restoring, migrating and trimming it, and forgetting nodes."""
