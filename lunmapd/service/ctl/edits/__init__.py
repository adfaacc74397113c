"""The short verbs: each edits the newest map in one commit, and can be repeated."""
