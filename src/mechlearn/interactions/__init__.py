"""Potentials of any kind behind one protocol."""

from mechlearn.interactions.potential import Evaluation, Potential

__all__ = ["Evaluation", "Potential"]
