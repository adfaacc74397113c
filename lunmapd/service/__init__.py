"""Settings, logs and the two command lines: the outermost room, where everything is put together."""
