"""Random maps, drift, kills, holds and out-of-band edits, judged without the code under test."""
