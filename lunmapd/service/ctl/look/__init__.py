"""Verbs that only look: they read the tree and change nothing."""
