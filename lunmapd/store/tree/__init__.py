"""Reading the tree: maps, revisions, members, ACLs."""
