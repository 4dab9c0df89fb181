"""High-quality data for continued pretraining: per source, fastText models mine a corpus round by round (arXiv 2506.03524, 4.2)."""
