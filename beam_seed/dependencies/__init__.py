"""Which files of a repository need which: imports found by tree-sitter and resolved by each language's own rules.

::

    content --mentions.py--> Mentions --languages/*--> files of the same repository --graph.py--> Graph

``table.py`` is the one table of languages. A language is one module of ``languages/``: what to look for in a file, and how what was found
leads to other files.
"""
