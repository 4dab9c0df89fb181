"""Kept for tools that need a setup.py (Beam's --setup_file); everything is declared in pyproject.toml."""

from setuptools import setup

setup()
