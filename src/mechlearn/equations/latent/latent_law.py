"""The law of latent variables: found by sparse regression on trajectories, and simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from mechlearn.equations.equation import Coefficient, Equation
from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.equations.search.regression import SparseFit, SparseSettings, sparse_regression
from mechlearn.errors import WorkError

#: Relative accuracy of a simulation in time, and the size at which it counts as run away.
_ACCURACY, _RUNAWAY = 1e-8, 1e6


def latent_law(
    derivatives: Sequence[Float[np.ndarray, "samples dimension"]],
    library: LatentLibrary,
    trajectories: Int[np.ndarray, " samples"],
    *,
    least_error: float,
    rng: np.random.Generator,
) -> tuple[tuple[Equation, ...], tuple[SparseFit, ...]]:
    """Find the few terms of z⁽ⁿ⁾ = Θ Ξ on latent trajectories.

    The error of learned coordinates is a function of z, the same in every sample: any further term mends a little of
    it, and many samples make that no less certain. So a term counts where it makes the relative error √(m + ε²), m
    the unexplained share, smaller by the factor e, as in the search for sparse coordinates.

    Parameters
    ----------
    derivatives : order + 1 of (samples, dimension)
        z and its rates.
    library
        The candidates.
    trajectories : (samples,)
        What is left out and drawn again together.
    least_error
        ε, the relative error of the rates that the coordinates have without any law.
    rng
        The source of resamples.
    """
    columns = library.evaluate(derivatives[: library.order])
    # The regression minimises n ln(RSS) + cost · ln n · terms: with this cost, 2n (½ ln(RSS) + terms).
    cost = 2 * len(columns) / np.log(len(columns))
    fits = tuple(
        sparse_regression(
            columns,
            rate,
            rng=rng,
            groups_of_samples=trajectories,
            settings=SparseSettings(least_error=least_error),
            costs=np.full(len(library), cost),
        )
        for rate in derivatives[library.order].T
    )
    equations = tuple(
        Equation(
            lhs,
            tuple(
                Coefficient(
                    library.terms[j],
                    *(float(values[j]) for values in (fit.coefficients, fit.low, fit.high, fit.probability)),
                )
                for j in np.flatnonzero(fit.support).tolist()
            ),
        )
        for lhs, fit in zip(library.left_hand_sides, fits, strict=True)
    )
    return equations, fits


def law_matrix(equations: Sequence[Equation], library: LatentLibrary) -> Float[np.ndarray, "terms dimension"]:
    """Ξ, with zeros for the candidates that are in no equation."""
    place = {name: number for number, name in enumerate(library.names)}
    matrix = np.zeros((len(library), len(equations)))
    for column, equation in enumerate(equations):
        for coefficient in equation.coefficients:
            matrix[place[coefficient.term.name], column] = coefficient.value
    return matrix


def simulate_law(
    matrix: Float[np.ndarray, "terms dimension"],
    library: LatentLibrary,
    start: Sequence[Float[np.ndarray, " dimension"]],
    times: Float[np.ndarray, " times"],
) -> Float[np.ndarray, "times dimension"]:
    """z at the times, from z (and ż, for the second order) at the first of them.

    Raises
    ------
    WorkError
        The law runs away.
    """
    from scipy.integrate import solve_ivp

    dimension = library.dimension

    def rate(_: float, state: Float[np.ndarray, " variables"]) -> Float[np.ndarray, " variables"]:
        parts = [part[None] for part in np.split(state, library.order)]
        return np.concatenate([*(part[0] for part in parts[1:]), (library.evaluate(parts) @ matrix)[0]])

    def runaway(_: float, state: Float[np.ndarray, " variables"]) -> float:
        return _RUNAWAY - float(np.abs(state).max())

    runaway.terminal = True  # type: ignore[attr-defined]
    path = solve_ivp(
        rate,
        (times[0], times[-1]),
        np.concatenate(list(start)),
        t_eval=times,
        rtol=_ACCURACY,
        atol=_ACCURACY,
        events=runaway,
    )
    if path.y.shape[1] < len(times):
        reached = path.t[-1] if len(path.t) else times[0]
        raise WorkError(f"simulating the latent law: it runs away after t = {reached:.4g}; give fewer times")
    return path.y[:dimension].T
