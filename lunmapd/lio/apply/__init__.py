"""Applying the steps of a plan to LIO."""
