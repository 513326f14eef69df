"""Machine learning for the mechanics of materials.

The package's line of work is structures → descriptors → model → scorecard; a *study* is that line
run end to end for one question.  Nothing heavy is loaded by ``import mechlearn``.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
