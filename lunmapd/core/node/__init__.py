"""One node: its LIO objects, the observed and the desired state."""
