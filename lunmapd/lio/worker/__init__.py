"""The worker process, which alone touches configfs, and the daemon's side of it."""
