"""Shared by observe and apply: rtslib, configfs files, the index of kernel numbers, refusals."""
