"""Training shards: documents mixed, tokenised, packed into sequences of equal length and shuffled across everything."""
