"""The stages of code curation: documents, measures, duplicates, scores, verdicts, corpora, each a dataset on disk."""
