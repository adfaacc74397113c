"""Where keys and passwords come from."""
