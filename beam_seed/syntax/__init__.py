"""Syntax checks with tree-sitter: measure the share of a file that no grammar rule explains, in a process that may crash."""
