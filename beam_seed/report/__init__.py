"""What a run did, as one page: counts, samples and invariants of its datasets, and the story of any one file."""
