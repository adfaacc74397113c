"""The edge to LIO: configfs and rtslib, touched only by a worker process that can be left behind."""
