"""One module for each family of languages that can import one another's files."""
