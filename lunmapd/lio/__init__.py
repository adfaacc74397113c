"""Access to LIO through configfs and rtslib, made by a worker process that can be abandoned when it is stuck."""
