"""Labels: a sample of files, and what an oracle says of each."""
