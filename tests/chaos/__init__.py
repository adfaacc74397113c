"""A cluster under every fault, and a checker over what it did."""
