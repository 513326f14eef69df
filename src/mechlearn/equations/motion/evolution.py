"""Equations made ready to be followed in time, and whether they can be.

Every equation is

    ∂u_i/∂t = Σ_j c_ij D^α_j Π_f u_f^{p_jf}.

A wave exp(ik·x) laid over a state u grows by exp(λt), to first order and where the state changes slowly, with λ an
eigenvalue of the symbol

    S_ig(k, u) = Σ_j c_ij (ik)^α_j ∂(Π_f u_f^{p_jf})/∂u_g.

Where the shortest waves grow, and the more the shorter, there is no solution to follow; negative diffusion is one case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product as every

import numpy as np
from jaxtyping import Complex, Float

from mechlearn.equations.equation import Equation
from mechlearn.equations.search.library import Candidate, candidate_of
from mechlearn.errors import InputError

#: Rounding errors, 1e-16 of a field, are as large as it is once they have grown by exp(36).
_LARGEST_GROWTH = 36.0

#: A field that is so many times larger than it ever was in the data has blown up.
LARGEST = 1e2

#: At so many points of a state are the waves on it looked at.
_POINTS = 500


@dataclass(frozen=True)
class EvolutionTerm:
    """c D^α Π u^p in the equation of one field.

    Attributes
    ----------
    equation : int
        Which field's.
    coefficient : float
        c.
    candidate : Candidate
        D^α Π u^p, derivatives along the coordinates of space only.
    name : str
        As it stands in the equation.
    """

    equation: int
    coefficient: float
    candidate: Candidate
    name: str

    @property
    def linear(self) -> bool:
        """Whether it is of first degree in the fields."""
        return sum(self.candidate.powers) == 1


@dataclass(frozen=True)
class Evolution:
    """∂u_i/∂t of all fields.

    Attributes
    ----------
    names : tuple of str
        Of the fields.
    axes : tuple of str
        The coordinates of space; none for an ODE.
    terms : tuple of EvolutionTerm
        Of all equations.
    """

    names: tuple[str, ...]
    axes: tuple[str, ...]
    terms: tuple[EvolutionTerm, ...]

    @staticmethod
    def of(equations: Sequence[Equation], names: Sequence[str], axes: Sequence[str]) -> Evolution:
        """Read equations for the fields and coordinates of data, time among them.

        Raises
        ------
        InputError
            If the equations are not ∂u/∂t of every field once, or a term cannot be read.
        """
        space = tuple(axis for axis in axes if axis != "t")
        lhs = {f"{name}_t": number for number, name in enumerate(names)}
        found = [equation.lhs.name for equation in equations]
        if sorted(found) != sorted(lhs):
            raise InputError(
                f"following fields {', '.join(names)} in time needs one equation for each of {', '.join(lhs)}; "
                f"there {'is' if len(found) == 1 else 'are'} {', '.join(found) or 'none'}"
            )
        terms = []
        for equation in equations:
            for part in equation.coefficients:
                candidate = candidate_of(part.term.name, names, space)
                terms.append(EvolutionTerm(lhs[equation.lhs.name], part.value, candidate, part.term.name))
        return Evolution(tuple(names), space, tuple(terms))

    @property
    def degree(self) -> int:
        """Highest degree of the monomials."""
        return max((sum(term.candidate.powers) for term in self.terms), default=1)

    def ill_posed(
        self, state: Float[np.ndarray, " fields *grid"], shortest: Sequence[float], duration: float
    ) -> str | None:
        """Say so where the shortest waves on a state outgrow everything within a time.

        Parameters
        ----------
        state
            The fields.
        shortest
            The largest wave number along every coordinate.
        duration
            For which rounding errors would grow.
        """
        points = state.reshape(len(state), -1)
        points = points[:, :: max(1, points.shape[1] // _POINTS)]
        for direction in every((0, 1, -1), repeat=len(self.axes)):
            wave = np.array(shortest) * direction
            if next((sign for sign in direction if sign), 0) != 1:
                continue  # nothing, or a wave that was looked at the other way round
            rate, at = self._growth(points, wave)
            half, _ = self._growth(points, wave / 2)
            if rate * duration > _LARGEST_GROWTH and rate > 1.5 * half:
                along = " and ".join(axis for axis, sign in zip(self.axes, direction, strict=True) if sign)
                return (
                    f"the shortest waves along {along} grow the fastest, as exp({rate:.3g} t), by the term "
                    f"{self._blamed(points[:, [at]], wave)}; no field obeys that, so leave out the term or its order"
                )
        return None

    def explicit_rate(self, state: Float[np.ndarray, " fields *grid"], shortest: Sequence[float]) -> float:
        """The largest |λ| of the terms that are not linear, for the shortest waves on a state."""
        rest = replace(self, terms=tuple(term for term in self.terms if not term.linear))
        points = state.reshape(len(state), -1)
        return float(np.abs(np.linalg.eigvals(rest._symbol(points, np.array(shortest)))).max())

    def _symbol(
        self, points: Float[np.ndarray, "fields points"], wave: Float[np.ndarray, " axes"]
    ) -> Complex[np.ndarray, "points fields fields"]:
        zero = np.zeros((points.shape[1], len(self.names), len(self.names)), dtype=complex)
        return sum((part for _, part in self._symbols(points, wave)), zero)

    def _growth(
        self, points: Float[np.ndarray, "fields points"], wave: Float[np.ndarray, " axes"]
    ) -> tuple[float, int]:
        """The largest Re λ over points, and where."""
        rates = np.linalg.eigvals(self._symbol(points, wave)).real.max(axis=-1)
        return float(rates.max()), int(np.argmax(rates))

    def _symbols(
        self, points: Float[np.ndarray, "fields points"], wave: Float[np.ndarray, " axes"]
    ) -> Iterator[tuple[EvolutionTerm, Complex[np.ndarray, "points fields fields"]]]:
        """S of every term that has derivatives."""
        for term in self.terms:
            if any(term.candidate.derivatives):
                factor = term.coefficient * term.candidate.wave_factor(wave[:, None])
                part = np.zeros((points.shape[1], len(self.names), len(self.names)), dtype=complex)
                for field, slope in term.candidate.slopes(points):
                    part[:, term.equation, field] = factor * slope
                yield term, part

    def _blamed(self, point: Float[np.ndarray, "fields 1"], wave: Float[np.ndarray, " axes"]) -> str:
        """The term that adds most to the fastest growth: λ = Σ_j yᴴS_j x/(yᴴx), x and y its eigenvectors."""
        parts = [(f"{term.coefficient:.4g} {term.name}", part[0]) for term, part in self._symbols(point, wave)]
        values, right = np.linalg.eig(self._symbol(point, wave)[0])
        fastest = int(np.argmax(values.real))
        left = np.linalg.pinv(right)[fastest]
        return max(parts, key=lambda named: float((left @ named[1] @ right[:, fastest]).real))[0]
