"""Softplus and its slope, eight numbers at once, to the last bits."""

from llvmlite import ir
from numba import njit
from numba.core.extending import intrinsic

from mechlearn.descriptors.lane_kernels import LANES, LanesType, broadcast, where_less

_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first short enough that whole multiples of it are exact.
_LN_2, _LN_2_REST = 0.693147180369123816490, 1.90821492927058770002e-10
# Adding this to a small number leaves its nearest integer in the lowest bits.
_ROUNDING = 1.5 * 2.0**52
# e to less than this is below the smallest normal number.
_LOWEST = -708.0


@intrinsic
def _scaled(typingctx, value, rounded):
    """``value`` times two to the power in the lowest bits of ``rounded``: added to the bits of its exponent."""
    if not (isinstance(value, LanesType) and isinstance(rounded, LanesType)):
        return None

    def codegen(context, builder, signature, args):
        words = ir.VectorType(ir.IntType(64), LANES)
        bits, power = (builder.bitcast(argument, words) for argument in args)
        exponent = builder.shl(power, ir.Constant(words, [52] * LANES))
        return builder.bitcast(builder.add(bits, exponent), args[0].type)

    return value(value, rounded), codegen


@njit(cache=True, nogil=True, inline="always")
def _exponential(x):
    """e^x of numbers from -708 to 0: 2^n·e^r with n whole and |r| ≤ ½ ln 2; r^14/14! = 4e-18 is left out."""
    rounded = x * _LOG2_E + _ROUNDING
    n = rounded - _ROUNDING
    r = x - n * _LN_2 - n * _LN_2_REST
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (
        1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (
            1 / 479001600 + r * (1 / 6227020800)))))))))))))  # fmt: skip
    return _scaled(series, rounded)


@njit(cache=True, nogil=True, inline="always")
def softplus_and_slope(z):
    """ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|) and its slope 1/(1 + e^-z).

    ln(1 + e) = 2 artanh(s) with s = e/(2 + e) ≤ 1/3, whose series leaves out 2 s^35/35 = 1e-18.
    """
    zero = broadcast(0.0)
    lowest = broadcast(_LOWEST)
    fall = where_less(z, zero, z, zero - z)
    decay = _exponential(where_less(fall, lowest, lowest, fall))
    s = decay / (2 + decay)
    q = s * s
    series = 1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15 + q * (
        1 / 17 + q * (1 / 19 + q * (1 / 21 + q * (1 / 23 + q * (1 / 25 + q * (1 / 27 + q * (1 / 29 + q * (
            1 / 31 + q * (1 / 33))))))))))))))))  # fmt: skip
    above = where_less(z, zero, zero, z)
    slope = where_less(z, zero, decay, broadcast(1.0)) / (1 + decay)
    return above + 2 * s * series, slope
