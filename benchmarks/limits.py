"""How fast one core can be at most, and how much arithmetic the bispectrum is: the two sides of a limit."""

from __future__ import annotations

import time

from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, aligned, broadcast, load, store
from mechlearn.descriptors.products import ProductList, product_lists

#: Floating-point operations of one product and sum.
_FUSED = 2


@njit
def _fused_products(out, rounds):  # type: ignore[no-untyped-def]
    """Ten independent chains of fused multiply-adds: more than the units can have under way."""
    x, y = broadcast(0.999999), broadcast(1e-7)
    a, b, c, d, e = load(out, 0), load(out, 8), load(out, 16), load(out, 24), load(out, 32)
    f, g, h, i, j = load(out, 40), load(out, 48), load(out, 56), load(out, 64), load(out, 72)
    for _ in range(rounds):
        a, b, c, d, e = a * x + y, b * x + y, c * x + y, d * x + y, e * x + y
        f, g, h, i, j = f * x + y, g * x + y, h * x + y, i * x + y, j * x + y
    store(out, 0, a + b + c + d + e + f + g + h + i + j)


def peak_gflops(rounds: int = 100_000) -> float:
    """The most double-precision Gflop/s that one core gave in ten trials, with explicit SIMD."""
    out = aligned.py_func(10 * LANES)
    out[:] = 1.0
    _fused_products(out, 1)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        _fused_products(out, rounds)
        best = min(best, time.perf_counter() - start)
    return 10 * LANES * _FUSED * rounds / best / 1e9


def value_flops(twojmax: int, neighbours: float) -> float:
    """Operations of the vector units for B of one atom, each counted as a product and a sum."""
    values, _ = product_lists(twojmax)
    return _FUSED * (neighbours * (_GEOMETRY + _density(twojmax)) + _products(values))


def force_flops(twojmax: int, neighbours: float) -> float:
    """The same for the energy and the pair gradients of one atom with a linear energy."""
    _, slopes = product_lists(twojmax)
    folded = sum(8 * j * (j // 2 + 1) for j in range(1, twojmax + 1))
    gradients = 8 * _elements(twojmax - 1) + folded
    return _FUSED * (neighbours * (_GEOMETRY + _density(twojmax) + gradients) + _products(slopes) + folded)


#: Of two sines, two cosines, a root and what goes with them.
_GEOMETRY = 70


def _elements(twojmax: int) -> int:
    """Matrix elements of the summed rows up to a level."""
    return sum((j // 2 + 1) * (j + 1) for j in range(twojmax + 1))


def _density(twojmax: int) -> int:
    """Eight operations for an element of v, two to add it up."""
    return 10 * _elements(twojmax)


def _products(products: ProductList) -> int:
    """Four operations for a product of two complex numbers, two for each of its two uses; four for each place."""
    return 8 * (len(products.weights) // 2) + 4 * len(products.places)
