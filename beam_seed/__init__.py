"""beam_seed: raw repositories, commit histories and web archives into the training data of a code model.

Importing this package is cheap: Apache Beam is imported only by the ``transforms`` modules.
"""

__version__ = "0.1.0"
