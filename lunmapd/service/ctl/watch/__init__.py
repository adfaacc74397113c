"""The screen of `lunmapctl status --watch`: what it shows, what keys do, and the terminal."""
