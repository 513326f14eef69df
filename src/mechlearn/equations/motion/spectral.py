"""Fields on periodic domains followed in time as sums of waves.

With û(k) the amplitudes of waves exp(ik·x), L(k) the linear terms of all equations and N the others,

    ∂û/∂t = L û + N(û).

The linear part, whose short waves are fast (k³ in Korteweg and de Vries's equation), is exact in the exponential
Runge–Kutta method of fourth order (Cox and Matthews, J. Comput. Phys. 176, 430, 2002, equations 26 to 29), which needs

    φ_0(z) = exp(z),   φ_{j+1}(z) = (φ_j(z) − 1/j!)/z.

The last formula loses all digits near z = 0 (Kassam and Trefethen, SIAM J. Sci. Comput. 26, 1214, 2005).  Here φ comes
from its power series for z/2^s, then doubled s times, which also serves where z is a matrix of several fields.

Products of fields are taken on a grid that is finer by (degree + 1)/2, on which no wave is mistaken for another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Complex, Float, Int

from mechlearn.equations.motion.evolution import LARGEST, Evolution, EvolutionTerm
from mechlearn.errors import WorkError

#: Terms of the power series of φ, for arguments up to this size.
_SERIES, _SMALL = 16, 0.5

#: Steps are shares 2^−j of the time between two outputs, with j up to this.
_MOST_HALVINGS = 24


@dataclass(frozen=True, eq=False)
class Waves:
    """The waves on a periodic grid but the shortest of an even number of points, whose sign is not defined.

    Attributes
    ----------
    shape : tuple of int
        Points along every axis.
    lengths : tuple of float
        Periods.
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...]

    def counts(self) -> tuple[Int[np.ndarray, " waves"], ...]:
        """Number of periods in the domain of every wave, along every axis; along the last without negative ones."""
        most = [(points - 1) // 2 for points in self.shape]
        whole = [np.r_[0 : m + 1, -m:0] for m in most[:-1]]
        return (*whole, np.arange(most[-1] + 1))

    def wave_numbers(self) -> Float[np.ndarray, " axes *modes"]:
        """k along every axis."""
        grids = np.meshgrid(*self.counts(), indexing="ij")
        return np.stack([2 * np.pi / length * grid for length, grid in zip(self.lengths, grids, strict=True)])

    def values(
        self, amplitudes: Complex[np.ndarray, " fields *modes"], shape: tuple[int, ...]
    ) -> Float[np.ndarray, " fields *grid"]:
        """The fields on a grid of any shape."""
        spectrum = np.zeros((len(amplitudes), *shape[:-1], shape[-1] // 2 + 1), dtype=complex)
        spectrum[self._places] = amplitudes
        return scipy.fft.irfftn(spectrum, s=shape, axes=self._axes, norm="forward")

    def amplitudes(self, values: Float[np.ndarray, " fields *grid"]) -> Complex[np.ndarray, " fields *modes"]:
        """û of fields on a grid of any shape."""
        return scipy.fft.rfftn(values, axes=self._axes, norm="forward")[self._places]

    @cached_property
    def _places(self) -> tuple[Any, ...]:
        """Where the waves stand in the spectrum of any grid that is fine enough."""
        return (slice(None), *np.ix_(*self.counts()))

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(1, len(self.shape) + 1))


@dataclass(frozen=True, eq=False)
class SpectralEquations:
    """L and N of equations on a periodic grid.

    Attributes
    ----------
    waves : Waves
        The grid's.
    linear : (fields, fields, *modes)
        L.
    fine : tuple of int
        The grid on which products are taken.
    products : list of (EvolutionTerm, array)
        One term for every different product, and its factors c (ik)^α in all equations.
    """

    waves: Waves
    linear: Complex[np.ndarray, " fields fields *modes"]
    fine: tuple[int, ...]
    products: list[tuple[EvolutionTerm, Complex[np.ndarray, " fields *modes"]]]

    @staticmethod
    def of(evolution: Evolution, waves: Waves) -> SpectralEquations:
        """Sort the terms."""
        numbers = waves.wave_numbers()
        fields = len(evolution.names)
        linear = np.zeros((fields, fields, *numbers[0].shape), dtype=complex)
        products: dict[tuple[int, ...], tuple[EvolutionTerm, Complex[np.ndarray, " fields *modes"]]] = {}
        for term in evolution.terms:
            factor = term.coefficient * term.candidate.factor * term.candidate.wave_factor(numbers)
            if term.linear:
                linear[term.equation, term.candidate.powers.index(1)] += factor
            else:
                zeros = np.zeros((fields, *numbers[0].shape), dtype=complex)
                products.setdefault(term.candidate.powers, (term, zeros))[1][term.equation] += factor
        finer = (max(evolution.degree, 1) + 1) / 2
        fine = tuple(scipy.fft.next_fast_len(math.ceil(finer * points), real=True) for points in waves.shape)
        return SpectralEquations(waves, linear, fine, list(products.values()))

    def others(self, amplitudes: Complex[np.ndarray, " fields *modes"]) -> Complex[np.ndarray, " fields *modes"]:
        """N(û)."""
        found = np.zeros_like(amplitudes)
        if self.products:
            values = self.waves.values(amplitudes, self.fine)
            monomials = np.stack([term.candidate.monomial(values) for term, _ in self.products])
            for product, (_, factors) in zip(self.waves.amplitudes(monomials), self.products, strict=True):
                found += factors * product
        return found

    def weights(self, step: float) -> StepWeights:
        """All that a step h of this length takes from L."""
        half = phi_functions(self.linear * step / 2, 1)
        one, first, second, third = phi_functions(self.linear * step, 3)
        last = 4 * third - second
        whole = (one, step * (first - 3 * second + 4 * third), step * (2 * second - 4 * third), step * last)
        return StepWeights(np.stack([half[0], step / 2 * half[1]]), np.stack(whole))


@dataclass(frozen=True, eq=False)
class StepWeights:
    """The matrices of one step h.

    Attributes
    ----------
    half : (2, fields, fields, *modes)
        exp(hL/2) and (h/2) φ₁(hL/2), on û and N.
    whole : (4, fields, fields, *modes)
        exp(hL) on û, and the weights of N at the start, at both stages in the middle together, and at the last stage.
    """

    half: Complex[np.ndarray, " 2 fields fields *modes"]
    whole: Complex[np.ndarray, " 4 fields fields *modes"]


def phi_functions(
    z: Complex[np.ndarray, " fields fields *modes"], order: int
) -> list[Complex[np.ndarray, " fields fields *modes"]]:
    """φ_0, …, φ_order of a matrix for every wave.

    The power series φ_j(z) = Σ_n zⁿ/(n + j)! serves for small z; then, as often as needed (Higham, Functions of
    Matrices, 2008, section 10.7.4),

        φ_j(2z) = 2^−j (φ_0(z) φ_j(z) + Σ_{i=1}^{j} φ_i(z)/(j − i)!).

    Examples
    --------
    >>> z = np.array([-1.0, 0.0, 3.0j])[None, None]
    >>> one, first = phi_functions(z, 1)
    >>> bool(np.allclose(one, np.exp(z))), bool(np.allclose(z * first, np.exp(z) - 1))
    (True, True)
    """
    size = np.abs(z).sum(axis=0).max(axis=0)
    doublings = np.ceil(np.log2(np.maximum(size, _SMALL) / _SMALL)).astype(int)  # of every wave as many as it needs
    z = z / 2.0**doublings
    identity = np.zeros_like(z)
    identity[np.diag_indices(len(z))] = 1.0
    power, phi = identity, [identity / math.factorial(j) for j in range(order + 1)]
    for n in range(1, _SERIES):
        power = _times(power, z)
        phi = [part + power / math.factorial(n + j) for j, part in enumerate(phi)]
    for doubling in range(int(doublings.max())):
        waves: tuple[Any, ...] = (slice(None), slice(None), *np.nonzero(doublings > doubling))
        small = [part[waves] for part in phi]
        for j, part in enumerate(phi):
            more = sum((small[i] / math.factorial(j - i) for i in range(1, j + 1)), np.zeros_like(small[0]))
            part[waves] = (_times(small[0], small[j]) + more) / 2**j
    return phi


def _times(
    a: Complex[np.ndarray, " fields fields *modes"], b: Complex[np.ndarray, " fields fields *modes"]
) -> Complex[np.ndarray, " fields fields *modes"]:
    return a * b if len(a) == 1 else np.einsum("ij...,jk...->ik...", a, b)


def _sum(
    weights: Complex[np.ndarray, " parts fields fields *modes"], parts: Sequence[Complex[np.ndarray, " fields *modes"]]
) -> Complex[np.ndarray, " fields *modes"]:
    """Σ_s W_s a_s."""
    return np.einsum("sij...,sj...->i...", weights, np.stack(parts))


@dataclass(eq=False)
class ExponentialSteps:
    """Steps from output to output, halved and doubled so that the error of each stays below a tolerance.

    The error of a step is taken from the method of third order in which N of the last stage gives way to N at the end
    of the step, which the next step needs anyway.
    """

    equations: SpectralEquations
    scales: Float[np.ndarray, " fields"]
    bounds: Float[np.ndarray, " fields"]
    tolerance: float
    most_steps: int
    taken: int = 0
    _halvings: int = 0
    _known: dict[float, StepWeights] = member(default_factory=dict)

    def outputs(
        self, start: Complex[np.ndarray, " fields *modes"], times: Sequence[float]
    ) -> Iterator[Complex[np.ndarray, " fields *modes"]]:
        """û at every time, the first of which is the start's.

        Raises
        ------
        WorkError
            If the fields grow beyond all bounds, or steps become too many or too short.
        """
        u = start
        yield u
        n = self.equations.others(u)
        for before, after in pairwise(times):
            interval, done = after - before, 0  # in the shortest steps there are
            whole = 1 << _MOST_HALVINGS
            while done < whole:
                share = 1 << (_MOST_HALVINGS - self._halvings)
                step = interval * share / whole
                new, n_new, error = self._step(u, n, self._weights(step))
                self.taken += 1
                if not error <= self.tolerance:  # also where it is not a number
                    self._halve(before + interval * done / whole)
                    continue
                u, n, done = new, n_new, done + share
                self._require_bounds(u, before + interval * done / whole)
                easy = error < self.tolerance / 20  # doubled, a step has 2⁴ times the error
                if easy and self._halvings and done % (2 * share) == 0:
                    self._halvings -= 1
            yield u

    def _step(
        self, u: Complex[np.ndarray, " fields *modes"], n: Complex[np.ndarray, " fields *modes"], w: StepWeights
    ) -> tuple[Complex[np.ndarray, " fields *modes"], Complex[np.ndarray, " fields *modes"], float]:
        """û and N(û) at the end, and the error."""
        others = self.equations.others
        with np.errstate(over="ignore", invalid="ignore"):
            a = _sum(w.half, (u, n))
            n_a = others(a)
            b = _sum(w.half, (u, n_a))
            n_b = others(b)
            c = _sum(w.half, (a, 2 * n_b - n))
            n_c = others(c)
            new = _sum(w.whole, (u, n, n_a + n_b, n_c))
            n_new = others(new)
            return new, n_new, self._size(_sum(w.whole[3:], [n_c - n_new]), self.scales)

    @staticmethod
    def _size(amplitudes: Complex[np.ndarray, " fields *modes"], scales: Float[np.ndarray, " fields"]) -> float:
        """Root mean square over the grid in the field's scale, of the field where this is largest."""
        squares = np.abs(amplitudes) ** 2
        squares[..., 1:] *= 2  # waves the other way round, which are not stored
        return float((np.sqrt(squares.reshape(len(squares), -1).sum(axis=1)) / scales).max())

    def _weights(self, step: float) -> StepWeights:
        step = float(f"{step:.12g}")  # times that differ by rounding have the same steps
        if step not in self._known:
            if len(self._known) > 8:
                self._known.clear()
            self._known[step] = self.equations.weights(step)
        return self._known[step]

    def _halve(self, time: float) -> None:
        self._halvings += 1
        if self._halvings > _MOST_HALVINGS or self.taken > self.most_steps:
            raise WorkError(f"no step is short enough at t = {time:.4g}")

    def _require_bounds(self, u: Complex[np.ndarray, " fields *modes"], time: float) -> None:
        if self.taken > self.most_steps:
            raise WorkError(f"{self.most_steps} steps did not lead beyond t = {time:.4g}")
        if self._size(u, self.bounds) > LARGEST:
            raise WorkError(f"the fields grow beyond all bounds at t = {time:.4g}")
