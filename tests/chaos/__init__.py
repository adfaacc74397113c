"""A cluster under faults, and a checker of its history."""
