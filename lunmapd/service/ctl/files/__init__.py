"""Map files: made, read, edited, and compared with what others committed."""
