"""What our libraries and optimisers need of PySINDy; a plain word where it is not installed."""

from mechlearn.errors import InputError, installation

try:
    from pysindy import AxesArray, SINDy
    from pysindy.feature_library.base import BaseFeatureLibrary, x_sequence_or_item
    from pysindy.optimizers import BaseOptimizer
    from pysindy.utils import comprehend_axes
except ImportError as missing:
    raise InputError(f"using our terms in PySINDy: it is not installed; {installation('equations')}") from missing

__all__ = ["AxesArray", "BaseFeatureLibrary", "BaseOptimizer", "SINDy", "comprehend_axes", "x_sequence_or_item"]
