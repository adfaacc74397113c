"""LIO through configfs and rtslib, in a worker process that can be abandoned when it is stuck."""
