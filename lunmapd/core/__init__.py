"""The pure core: the map, its rules, a node's LIO objects, plans and status. No I/O, no clock, no logging."""
