"""The edits of the short verbs: pure functions from a map to the next one, each of which can be repeated."""
