"""Reading the tree: maps, revisions, members and ACLs."""
