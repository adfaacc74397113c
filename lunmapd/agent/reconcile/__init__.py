"""One pass, and the state that makes the next pass cheaper."""
