"""From fields to their equations: ``discover_pde`` and ``discover_ode``.

equations = discover_pde(read_field("measured.h5"))
print(equations)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.noise import LEAST_NOISE, field_noises
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.search.library import Candidate, candidates
from mechlearn.equations.search.regression import (
    RegularisationPath,
    SparseFit,
    SparseSettings,
    drawn_blocks,
    sparse_regression,
)
from mechlearn.equations.search.strong import strong_rows
from mechlearn.equations.search.weak import Windows, choose_windows, weak_rows
from mechlearn.equations.search.weak_noise import NoisyTerms
from mechlearn.equations.search.weak_search import Scored, Search
from mechlearn.errors import InputError


@dataclass(frozen=True)
class DiscoverySettings:
    """What is tried, and how.

    Attributes
    ----------
    degree : int
        Of monomials of the fields.
    derivative_order : int
        Highest derivative in space.
    form : {"weak", "strong"}
        Integrals against smooth windows, which stand noise and gaps, or derivatives of the data.
    windows : Windows or None
        Of the weak form; chosen from the data where None.
    rows : int
        How many windows at most.
    noise : float or None
        Standard deviation of the noise over that of the field; measured where None.
    regression : SparseSettings
        Resamples, level of intervals.
    seed : int
        Of the resamples.
    """

    degree: int = 3
    derivative_order: int = 4
    form: Literal["weak", "strong"] = "weak"
    windows: Windows | None = None
    rows: int = 300
    noise: float | None = None
    regression: SparseSettings = SparseSettings()  # noqa: RUF009 - frozen
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Discovery:
    """Equations of all fields, and how they were chosen.

    Attributes
    ----------
    equations : tuple of Equation
        ∂u/∂t of every field.
    fits : tuple of SparseFit
        For every equation, over all candidates.
    terms : tuple of Term
        The candidates.
    candidates : tuple of Candidate
        The same, to evaluate.
    noise : tuple of float
        Standard deviation of the noise of every field, over that of the field.
    windows : Windows or None
        Of the weak form.
    """

    equations: tuple[Equation, ...]
    fits: tuple[SparseFit, ...]
    terms: tuple[Term, ...]
    candidates: tuple[Candidate, ...]
    noise: tuple[float, ...]
    windows: Windows | None

    def __str__(self) -> str:
        return "\n".join(map(str, self.equations))

    def to_dict(self) -> dict[str, object]:
        """A form for JSON."""
        return {"equations": [equation.to_dict() for equation in self.equations], "noise": list(self.noise)}


def discover_pde(field: Field, settings: DiscoverySettings = DiscoverySettings()) -> Discovery:
    """Find ∂u/∂t of every field as a sum of few derivatives of monomials.

    Parameters
    ----------
    field
        Fields on a uniform grid of time and space; the weak form goes on over gaps.
    settings
        Candidates, form, noise.

    Returns
    -------
    Discovery
        It prints as equations.

    Raises
    ------
    InputError
        If the grid is not uniform, has gaps (strong form), or is too small for the candidates, or a field is constant.

    Examples
    --------
    A travelling wave of two lengths, u_t = -0.5 u_x:

    >>> x, t = np.linspace(0, 10, 100), np.linspace(0, 5, 60)
    >>> s = x[:, None] - 0.5 * t
    >>> u = np.sin(s) + np.cos(2.3 * s)
    >>> print(discover_pde(Field({"u": u}, {"x": x, "t": t}), DiscoverySettings(degree=2, derivative_order=2)))
    u_t = -0.5 u_x
    """
    field.require_change()
    library = candidates(field, settings.degree, settings.derivative_order)
    terms = tuple(candidate.term(field) for candidate in library)
    noises = field_noises(field, settings.noise)
    rng = np.random.default_rng(settings.seed)
    if settings.form == "strong":
        columns, targets = strong_rows(field, library)
        regression = replace(settings.regression, least_error=max(settings.regression.least_error, LEAST_NOISE))
        fits = tuple(sparse_regression(columns, y, rng=rng, settings=regression) for y in targets.T)
        windows = None
    else:
        windows = settings.windows or choose_windows(field, noises, settings.rows)
        # Matrices are small: threads would wait for each other longer than they work, on a busy machine without end.
        with threadpool_limits(1, user_api="blas"):
            fits = _weak_fits(field, library, windows, noises, settings.regression, rng)
    equations = tuple(_equation(field, number, terms, fit) for number, fit in enumerate(fits))
    shares = tuple(
        noise / float(np.nanstd(values)) for noise, values in zip(noises, field.values.values(), strict=True)
    )
    return Discovery(equations, fits, terms, library, shares, windows)


def discover_ode(field: Field, settings: DiscoverySettings = DiscoverySettings()) -> Discovery:
    """Find dx/dt of every variable of a trajectory as a sum of few monomials.

    Parameters
    ----------
    field
        Variables over time alone.
    settings
        Candidates, form, noise.

    Raises
    ------
    InputError
        If there are other coordinates than time, and as in ``discover_pde``.

    Examples
    --------
    >>> t = np.linspace(0, 20, 500)
    >>> print(discover_ode(Field({"x": np.sin(t), "v": np.cos(t)}, {"t": t}), DiscoverySettings(degree=2)))
    x_t = 1 v
    v_t = -1 x
    """
    if field.axes != ("t",):
        raise InputError(
            f"an ODE has time as its only coordinate; these fields have {', '.join(field.axes)}: use discover_pde"
        )
    return discover_pde(field, replace(settings, derivative_order=0))


def _weak_fits(
    field: Field,
    library: Sequence[Candidate],
    windows: Windows,
    noises: Sequence[float],
    settings: SparseSettings,
    rng: np.random.Generator,
) -> tuple[SparseFit, ...]:
    rows = weak_rows(field, library, windows, noises)
    if len(rows.columns) <= len(library):
        raise InputError(
            f"the weak form: {len(rows.columns)} windows for {len(library)} candidates; "
            "give more samples, smaller windows or fewer candidates"
        )
    fits = []
    for number in range(len(field.names)):
        noisy = NoisyTerms.of_rows(rows, library, number, windows, field.steps(), noises, field.time_axis)
        search = Search(noisy)
        fits.append(fit_of_set(search, search.run(), settings, rng))
    return tuple(fits)


def fit_of_set(search: Search, best: Scored, settings: SparseSettings, rng: np.random.Generator) -> SparseFit:
    """Intervals of the chosen set, on rows made white, and how often draws of blocks choose each term."""
    chosen = np.array(best.terms, dtype=int)
    columns, target = search.whitened(best).calibrated()
    price = 1 + 2 * np.log(search.terms) / np.log(len(target))
    everything = sparse_regression(columns, target, rng=rng, settings=settings, costs=np.full(search.terms, price))
    support = np.zeros(search.terms, dtype=bool)
    support[chosen] = True
    low, high = np.zeros(search.terms), np.zeros(search.terms)
    error = held_out = 1.0
    if len(chosen):
        columns, target = search.whitened(best).part(np.append(chosen, search.terms)).calibrated()
        fixed = sparse_regression(columns, target, rng=rng, settings=settings, costs=np.full(len(chosen), 1e-12))
        low[chosen], high[chosen] = fixed.low, fixed.high
        error, held_out = fixed.path.errors[0], fixed.path.held_out_errors[0]
    blocks = min(settings.blocks, search.rows)
    draws = drawn_blocks(blocks, settings.resamples, rng)
    return replace(
        everything,
        coefficients=-best.v[:-1],
        support=support,
        probability=search.probabilities(draws[:, np.arange(search.rows) * blocks // search.rows]),
        low=low,
        high=high,
        error=float(error),
        held_out_error=float(held_out),
        criterion=best.score,
        misfit=best.chi_square**0.5,
        path=_path(search, everything),
    )


def _path(search: Search, everything: SparseFit) -> RegularisationPath:
    """The best set that the search saw of every size."""
    best = search.best_of_sizes()
    coefficients: Float[np.ndarray, "steps terms"] = np.array([-scored.v[:-1] for scored in best])
    square = float(np.sum(search.noisy.columns[:, -1] ** 2))
    v = np.column_stack([-coefficients, np.ones(len(best))])
    errors = np.sqrt(np.sum((v @ search.noisy.columns.T) ** 2, axis=1) / square)
    held_out = everything.path.held_out_errors[::-1]  # by size
    return RegularisationPath(
        sizes=np.array([len(scored.terms) for scored in best]),
        supports=coefficients != 0,
        coefficients=coefficients,
        errors=errors,
        held_out_errors=held_out[[len(scored.terms) for scored in best]],
        criterion=np.array([scored.score for scored in best]),
    )


def _equation(field: Field, number: int, terms: Sequence[Term], fit: SparseFit) -> Equation:
    powers = tuple(int(f == number) for f in range(len(field.names)))
    lhs = Candidate(powers, tuple(int(axis == "t") for axis in field.axes)).term(field)
    return Equation(
        lhs,
        tuple(
            Coefficient(
                terms[j], float(fit.coefficients[j]), float(fit.low[j]), float(fit.high[j]), float(fit.probability[j])
            )
            for j in np.flatnonzero(fit.support).tolist()
        ),
    )
