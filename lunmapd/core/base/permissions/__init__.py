"""Who may do what in the tree: principals, roles, and the ACLs that follow from them."""
