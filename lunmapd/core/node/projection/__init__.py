"""From the map to the desired objects of one node."""
