"""Schemas and statistics of datasets as tensorflow-metadata protocol buffers, and their comparison."""
