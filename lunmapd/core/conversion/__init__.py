"""Conversion of other tools' configuration files to a map, and of several nodes' maps to one."""
