"""The page for browsers: what it shows, its HTML, and the server that only reads."""
