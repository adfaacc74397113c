"""Revisions: changes, digests, merges, checkpoints and backups."""
