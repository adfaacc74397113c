"""What `lunmapctl` prints: tables and sentences for people, and the structs of its JSON."""
