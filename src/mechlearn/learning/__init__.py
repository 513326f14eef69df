"""Learning: the one training loop, perceptrons, arrays on disk; it knows no structures.

``train`` and the torch form of a perceptron live in ``mechlearn.learning.training`` and
``mechlearn.learning.modules``, which load torch; nothing here does.
"""

from mechlearn.learning.arrays import load_arrays, save_arrays
from mechlearn.learning.perceptron import Perceptron, parameter_count
from mechlearn.learning.settings import Epoch, History, TrainingSettings

__all__ = [
    "Epoch",
    "History",
    "Perceptron",
    "TrainingSettings",
    "load_arrays",
    "parameter_count",
    "save_arrays",
]
