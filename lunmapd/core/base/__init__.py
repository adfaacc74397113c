"""Terms that every room uses: names, documents, the Lunmap, attributes, backings, errors and messages."""
