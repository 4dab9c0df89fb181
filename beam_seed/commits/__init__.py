"""Histories of git repositories into samples of code change prediction (Seed-Coder, section 2.3 "Commits data")."""
