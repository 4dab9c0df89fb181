"""Exact deduplication by SHA-256, of files and of whole repositories."""
