"""Committing a revision, in one transaction or staged in parts."""
