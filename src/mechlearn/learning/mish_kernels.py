"""Mish and its derivative in single precision, compiled so that eight or sixteen numbers are done at a time.

With e = exp x and w = e (e + 2), tanh(ln(1 + e)) is w / (w + 2): one exponential in place of three functions.
"""

import numpy as np
from numba import njit

#: Beyond this w + 2 is w in single precision, and below the other end e is nothing beside 2.
_LARGEST, _SMALLEST = np.float32(40.0), np.float32(-87.0)

#: log₂ e, and ln 2 as a number of few digits and the rest, so that n times the first is exact.
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)

_HALF, _ONE, _TWO, _FOUR = (np.float32(number) for number in (0.5, 1.0, 2.0, 4.0))

#: 1 / k!, of the series for exp r; where |r| ≤ ½ ln 2 what comes after is below 1e-8.
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1.0 / number) for number in (2.0, 6.0, 24.0, 120.0, 720.0, 5040.0))

#: The exponent of one, and where it lies among the bits of a number.
_BIAS, _MANTISSA = np.int32(127), np.int32(23)


@njit(cache=True, nogil=True, fastmath={"contract"})
def exponential(x):
    """Exp x = 2ⁿ exp r with n whole and |r| ≤ ½ ln 2; x is a float32 between -87 and 88."""
    n = np.floor(x * _LOG2_E + _HALF)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = _ONE + r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    return series * np.int32((np.int32(n) + _BIAS) << _MANTISSA).view(np.float32)


# A division by zero would be an error that stops the loop, which keeps it from being done several numbers at a time.
@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def mish(inputs, out):
    """X tanh(ln(1 + exp x)) = x w / (w + 2)."""
    for place in range(inputs.size):
        x = inputs[place]
        e = exponential(min(max(x, _SMALLEST), _LARGEST))
        w = e * (e + _TWO)
        out[place] = x * (w / (w + _TWO))


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def mish_backward(inputs, gradient, out):
    """G (w / (w + 2) + 4 x e (e + 1) / (w + 2)²)."""
    for place in range(inputs.size):
        x = inputs[place]
        e = exponential(min(max(x, _SMALLEST), _LARGEST))
        w = e * (e + _TWO)
        share = _ONE / (w + _TWO)
        out[place] = gradient[place] * (w * share + x * ((_FOUR * e * share) * ((e + _ONE) * share)))
