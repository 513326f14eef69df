"""What the bispectrum through torch looks up: the points of an integral over rotations, and lists of indices.

A product of two U's coupled by Clebsch–Gordan coefficients and contracted with a third is an integral over SU(2),

    B_{j1 j2 j} = (j + 1) ∫ F_j1(g) F_j2(g) F_j(g) dg,      F_j(g) = Σ_m U_j[m] u_j[m](g)*,

where F_j is real: the part of the density of neighbours, seen as a function on the 3-sphere, that has angular
momentum j.  The integrand is a polynomial of degree 3·2J, even under g → -g, so that

    ⌊3·2J/2⌋ + 1 = N angles α, as many γ, and ⌈N/2⌉ Gauss–Legendre nodes cos β

integrate it exactly: 1,183 points at 2J = 8.  Long, irregular sums of Clebsch–Gordan products become products of
matrices, which is what a GPU is best at.

The matrices u_j are kept without their square roots, as v_j[mb, ma] = [t^ma] (a* - b* t)^(j - mb) (b + a t)^mb, rows
2·mb ≤ j, level after level; u_j[mb, ma] = √(ma! (j - ma)!/(mb! (j - mb)!)) v_j[mb, ma].  All j are doubled.

Source: Bartók et al., Phys. Rev. B 87, 184115 (2013), Eqs. 19–25; Varshalovich, Moskalev & Khersonskii (1988), 4.11.1
Eq. 6 for the integral of three matrices of rotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import factorial

import numpy as np
from jaxtyping import Complex, Float, Int

from mechlearn.descriptors.angular_momentum import bispectrum_tables


@dataclass(frozen=True, eq=False)
class TorchTables:
    """Index lists and matrices for one ``twojmax``.

    Attributes
    ----------
    twojmax : int
        2J.
    starts : (twojmax + 2,)
        Where level j begins among the matrix elements v; the last entry is their number.
    identity : (elements,)
        v of the unit rotation.
    bands : tuple of int
        All j, the even ones first: the order of F.
    transforms : (2·elements of level j, points), one a band
        From the real and imaginary parts of V_j to F_j at the points, times the cube root of the point's weight.
    component : (features,)
        Where B stands among (products of two bands, even bands).
    scale : (features,)
        j + 1.
    even, odd : EnergySlope
        How ∂E/∂F of the even and of the odd bands is made.
    source, source_factor : (4, elements below the highest level)
        For ∂/∂a*, ∂/∂b*, ∂/∂a, ∂/∂b: the element of v_j whose derivative holds this element of v_{j-1}, and how often.
    level : (elements below the highest level,)
        That j.
    """

    twojmax: int
    starts: Int[np.ndarray, " levels_and_one"]
    identity: Float[np.ndarray, " elements"]
    bands: tuple[int, ...]
    transforms: tuple[Float[np.ndarray, "_ points"], ...]
    component: Int[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]
    even: EnergySlope
    odd: EnergySlope
    source: Int[np.ndarray, "4 lower"]
    source_factor: Float[np.ndarray, "4 lower"]
    level: Float[np.ndarray, " lower"]

    @property
    def points(self) -> int:
        """How many rotations the integral is summed over."""
        return self.transforms[0].shape[1]


@dataclass(frozen=True, eq=False)
class EnergySlope:
    """∂E/∂F_j = Σ_p g[component[j, p]] · factor[j, p] · F_first(p) F_second(p), for E = Σ g·B.

    Attributes
    ----------
    runs : tuple of (band, start, stop)
        The products: this band times each of the bands ``start:stop``, one run after the other.
    component : (bands, products)
        Which component of B joins them with this band; any where the factor is 0.
    factor : (bands, products)
        j + 1 times how often this band stands in the component; 0 where angular momenta do not add up.
    """

    runs: tuple[tuple[int, int, int], ...]
    component: Int[np.ndarray, "bands products"]
    factor: Float[np.ndarray, "bands products"]


@lru_cache
def torch_tables(twojmax: int) -> TorchTables:
    """The tables for one ``twojmax``, made once.

    Examples
    --------
    >>> [torch_tables(twojmax).points for twojmax in (2, 4, 6, 8)]
    [32, 196, 500, 1183]
    """
    bands = (*range(0, twojmax + 1, 2), *range(1, twojmax + 1, 2))
    even, every = twojmax // 2 + 1, twojmax + 1
    components = [(int(j1), int(j2), int(j)) for j1, j2, j in bispectrum_tables(twojmax).components]
    alike = tuple((place, 0 if place < even else even, place + 1) for place in range(every))
    mixed = tuple((place, even, every) for place in range(even))
    a, b, weights = _rotations(twojmax)
    levels = [_level(j, a, b) for j in range(twojmax + 1)]
    starts = np.cumsum([0] + [len(level) for level in levels])
    source, factor, level = _derivatives(twojmax, starts)
    return TorchTables(
        twojmax=twojmax,
        starts=starts,
        identity=np.concatenate([np.eye(j // 2 + 1, j + 1).ravel() for j in range(twojmax + 1)]),
        bands=bands,
        transforms=tuple(_transform(j, levels[j], weights) for j in bands),
        component=np.array([_place(component, _products(alike, bands), bands[:even]) for component in components]),
        scale=np.array([j + 1.0 for _, _, j in components]),
        even=_energy_slope(bands[:even], alike, bands, components),
        odd=_energy_slope(bands[even:], mixed, bands, components),
        source=source,
        source_factor=factor,
        level=level,
    )


def _rotations(
    twojmax: int,
) -> tuple[Complex[np.ndarray, " points"], Complex[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Cayley–Klein parameters and weights that integrate every product of three bands exactly."""
    count = 3 * twojmax // 2 + 1
    angles = 2 * np.pi * np.arange(count) / count
    cosines, heights = np.polynomial.legendre.leggauss((count + 1) // 2)
    alpha, gamma, cosine = (grid.ravel() for grid in np.meshgrid(angles, angles, cosines, indexing="ij"))
    a = np.sqrt((1 + cosine) / 2) * np.exp(0.5j * (alpha + gamma))
    b = np.sqrt((1 - cosine) / 2) * np.exp(0.5j * (alpha - gamma))
    return a, b, np.tile(heights / 2, count**2) / count**2


def _level(
    j: int, a: Complex[np.ndarray, " points"], b: Complex[np.ndarray, " points"]
) -> Complex[np.ndarray, "elements points"]:
    """v_j of rotations: the coefficients of (a* - b* t)^(j - mb) (b + a t)^mb."""
    rows = []
    for mb in range(j // 2 + 1):
        row = np.ones((1, len(a)), dtype=np.complex128)
        for first, second in [(a.conj(), -b.conj())] * (j - mb) + [(b, a)] * mb:
            row = np.pad(first * row, ((0, 1), (0, 0))) + np.pad(second * row, ((1, 0), (0, 0)))
        rows.append(row)
    return np.concatenate(rows)


def _transform(
    j: int, level: Complex[np.ndarray, "elements points"], weights: Float[np.ndarray, " points"]
) -> Float[np.ndarray, "_ points"]:
    """F_j = Σ_m norm_m Re(V_j[m] v_j[m]*), rows above the middle counted twice for those below it."""
    norms = [
        (1 if 2 * mb == j else 2) * factorial(ma) * factorial(j - ma) / (factorial(mb) * factorial(j - mb))
        for mb in range(j // 2 + 1)
        for ma in range(j + 1)
    ]
    weighted = np.array(norms)[:, None] * level * np.cbrt(weights)
    return np.stack([weighted.real, weighted.imag], axis=1).reshape(-1, len(weights))


def _products(runs: tuple[tuple[int, int, int], ...], bands: tuple[int, ...]) -> list[tuple[int, int]]:
    """The angular momenta of all products, smaller first."""
    pairs = [(bands[place], other) for place, start, stop in runs for other in bands[start:stop]]
    return [(min(pair), max(pair)) for pair in pairs]


def _place(component: tuple[int, int, int], products: list[tuple[int, int]], even: tuple[int, ...]) -> int:
    """Where a component stands among (products, even bands): its three j are even, or one of them is."""
    third = max(j for j in component if j % 2 == 0)
    rest = sorted(component)
    rest.remove(third)
    return products.index((rest[0], rest[1])) * len(even) + even.index(third)


def _energy_slope(
    of: tuple[int, ...],
    runs: tuple[tuple[int, int, int], ...],
    bands: tuple[int, ...],
    components: list[tuple[int, int, int]],
) -> EnergySlope:
    """∂E/∂F of some bands, from products of two bands."""
    place = {tuple(sorted(component)): index for index, component in enumerate(components)}
    products = _products(runs, bands)
    index = np.zeros((len(of), len(products)), dtype=np.int64)
    factor = np.zeros((len(of), len(products)))
    for row, j in enumerate(of):
        for column, (first, second) in enumerate(products):
            found = place.get(tuple(sorted((j, first, second))))
            if found is not None:
                index[row, column] = found
                factor[row, column] = (max(j, first, second) + 1) * (j, first, second).count(j)
    return EnergySlope(runs, index, factor)


def _derivatives(
    twojmax: int, starts: Int[np.ndarray, " levels_and_one"]
) -> tuple[Int[np.ndarray, "4 lower"], Float[np.ndarray, "4 lower"], Float[np.ndarray, " lower"]]:
    """∂v_j/∂a* = (j - mb) v_{j-1}[mb, ma], ∂/∂b* = -(j - mb) v_{j-1}[mb, ma - 1], ∂/∂a = mb v_{j-1}[mb - 1, ma - 1],
    ∂/∂b = mb v_{j-1}[mb - 1, ma].

    The middle row of an even j is its own mirror image, so that its derivatives along a* and b* are the conjugates
    of those along a and b: they are left out, and the others count twice.
    """
    source: list[list[int]] = []
    factor: list[list[float]] = []
    level: list[float] = []
    for j in range(1, twojmax + 1):
        for mb, ma in product(range((j - 1) // 2 + 1), range(j)):
            here = int(starts[j]) + (j + 1) * mb + ma
            below = here + j + 1 if mb + 1 <= j // 2 else here
            down = (mb + 1.0) * (below > here) * (2 if 2 * (mb + 1) == j else 1)
            source.append([here, here + 1, below + 1, below])
            factor.append([j - mb, mb - j, down, down])
            level.append(j)
    shape = (len(level), 4)
    return (
        np.array(source, dtype=np.int64).reshape(shape).T.copy(),
        np.array(factor, dtype=np.float64).reshape(shape).T.copy(),
        np.array(level, dtype=np.float64),
    )
