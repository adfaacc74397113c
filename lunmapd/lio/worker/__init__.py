"""The worker process that alone touches configfs, and the daemon's side of it."""
