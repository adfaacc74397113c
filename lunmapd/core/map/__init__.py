"""The map file that people write, and the rules that a map keeps."""
