"""How `lunmapctl` starts: the list of its verbs, each of which is imported when it is run."""
