"""Making, backing up, restoring, migrating and trimming a tree."""
