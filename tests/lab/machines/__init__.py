"""Machines with real kernels: their drivers, connections, disks, and the initiator."""
