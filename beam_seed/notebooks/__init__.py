"""Jupyter notebooks as documents of text and code."""
