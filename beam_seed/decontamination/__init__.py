"""Decontamination: documents that share an n-gram of words with a benchmark are dropped."""
