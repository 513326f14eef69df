"""Ordinary differential equations followed in time, and the steps of SciPy's solvers kept within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from scipy.integrate import LSODA, OdeSolver

from mechlearn.equations.motion.evolution import LARGEST, Evolution
from mechlearn.errors import WorkError

#: Errors of steps, as a share of those of fields: trajectories are cheap, and may be chaotic.
_STEP_ERROR = 1e-3


def trajectory(
    evolution: Evolution,
    start: Float[np.ndarray, " fields"],
    times: Sequence[float],
    scales: Float[np.ndarray, " fields"],
    bounds: Float[np.ndarray, " fields"],
    tolerance: float,
    most_steps: int,
) -> Iterator[Float[np.ndarray, " fields"]]:
    """Variables at every time, the first of which is the start's: dx_i/dt = Σ_j c_ij Π_f x_f^{p_jf}.

    Raises
    ------
    WorkError
        If the variables grow beyond all bounds, or steps become too many or too short.
    """
    exponents = np.array([term.candidate.powers for term in evolution.terms]).reshape(-1, len(start))
    coefficients = np.zeros((len(start), len(evolution.terms)))
    for number, term in enumerate(evolution.terms):
        coefficients[term.equation, number] = term.coefficient

    def rates(_: float, x: Float[np.ndarray, " fields"]) -> Float[np.ndarray, " fields"]:
        return coefficients @ np.prod(x**exponents, axis=1)

    yield start
    if len(times) > 1:
        errors = _STEP_ERROR * tolerance
        solver = LSODA(rates, times[0], start, times[-1], rtol=errors, atol=errors * scales)
        yield from solver_outputs(solver, times[1:], bounds, most_steps)


def solver_outputs(
    solver: OdeSolver, times: Sequence[float], bounds: Float[np.ndarray, " fields"], most_steps: int
) -> Iterator[Float[np.ndarray, " unknowns"]]:
    """The unknowns, field after field, at every time.

    Raises
    ------
    WorkError
        If the fields grow beyond all bounds, or steps become too many or too short.
    """
    taken = 0
    for time in times:
        while solver.t < time:
            taken += 1
            _step(solver)
            if not (np.abs(solver.y.reshape(len(bounds), -1)).max(axis=1) <= LARGEST * bounds).all():
                raise WorkError(f"the fields grow beyond all bounds at t = {solver.t:.4g}")
            if taken > most_steps:
                raise WorkError(f"{most_steps} steps did not lead beyond t = {solver.t:.4g}")
        yield solver.dense_output()(time)


def _step(solver: OdeSolver) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            solver.step()
        except (ValueError, RuntimeError):  # a Jacobian that is singular or not finite
            solver.status = "failed"
    if solver.status == "failed":
        raise WorkError(f"no step is short enough at t = {solver.t:.4g}")
