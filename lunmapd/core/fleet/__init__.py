"""All nodes: status documents, lag and the paths to each Lun."""
