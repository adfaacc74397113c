"""What the map means for each node: the groups that it may own, the ALUA states of Luns, backing paths."""
