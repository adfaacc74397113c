"""What the nodes would do after a commit: computed from two maps and the status of each node."""
