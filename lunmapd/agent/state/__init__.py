"""Files that a node keeps between runs."""
