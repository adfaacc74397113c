"""Why a host sees a Lun through a node, or why not, and what mends it."""
