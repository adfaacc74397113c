"""The ACLs of the tree, and the roles that they stand for."""
