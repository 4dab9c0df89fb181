"""Near-duplicate detection: MinHash signatures, LSH bands, connected components, exact verification."""
