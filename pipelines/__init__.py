"""Launchable jobs: each module has its Options, ``build(pipeline, options)`` and ``main(argv)``."""
