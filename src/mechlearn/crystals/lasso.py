"""LASSO on normal equations: sets of independent entries, chosen by the loading cases that were left out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from mechlearn.crystals.reduced_problem import ReducedProblem
from mechlearn.errors import InputError

#: What is added to the diagonal of a Gram matrix of unit columns, so that it has a square root when columns depend.
ROUNDING = 1e-9


@dataclass(frozen=True)
class LassoSettings:
    """Which penalties are tried.

    Attributes
    ----------
    penalties : int
        How many, evenly in the logarithm, from the one that removes every term.
    range : float
        The lowest over the highest.
    largest : int
        The largest set that is of interest; the path ends where it is passed.
    """

    penalties: int = 30
    range: float = 1e-3
    largest: int = 150

    def __post_init__(self) -> None:
        for name, least in (("penalties", 2), ("largest", 1)):
            if getattr(self, name) < least:
                raise InputError(f"setting up LASSO: {name} is {getattr(self, name)}; give at least {least}")
        if not 0 < self.range < 1:
            raise InputError(f"setting up LASSO: the range is {self.range}; give a share between 0 and 1")


@dataclass(frozen=True, eq=False)
class LassoPath:
    """What the loading cases left out say about each penalty, for one family.

    Attributes
    ----------
    penalties : (penalties,)
        LASSO's α on columns of unit spread, falling.
    sizes : (penalties,)
        How many orbits it keeps.
    held_out_errors : (penalties,)
        ‖y − Xh‖/‖y‖ on the cases left out, after a refit without penalty; infinite where a fold's set is too large.
    chosen : int
        The position of the penalty whose set goes on.
    """

    penalties: Float[np.ndarray, " penalties"]
    sizes: Int[np.ndarray, " penalties"]
    held_out_errors: Float[np.ndarray, " penalties"]
    chosen: int


def propose(
    problem: ReducedProblem, family: int, folds: Int[np.ndarray, " cases"], settings: LassoSettings
) -> tuple[LassoPath, Int[np.ndarray, " proposed"]]:
    """Let LASSO propose sets of orbits for one family, and choose by refits that predict the loading cases left out.

    Parameters
    ----------
    problem
        The tensor's linear problem.
    family
        The family in which the tuples begin.
    folds : (cases,)
        The fold of each loading case.
    settings
        Which penalties are tried.

    Returns
    -------
    path : LassoPath
        What each penalty keeps, and how well it predicts.
    proposed : (proposed,)
        The orbits of the set that predicts best.
    """
    columns = problem.columns(family)
    blocks = problem.moments(family, columns, folds)
    whole = blocks.moments.sum(axis=0)
    strongest = _strongest_penalty(_Lasso.of_moments(whole, problem.constant))
    if strongest <= ROUNDING * np.sqrt(whole[-1, -1] / blocks.samples.sum()):
        return LassoPath(np.zeros(1), np.zeros(1, dtype=np.int64), np.ones(1), 0), columns[:0]
    penalties = np.geomspace(strongest, strongest * settings.range, settings.penalties)
    squared = np.full((len(blocks.moments), len(penalties)), np.inf)
    for fold, held_out in enumerate(blocks.moments):
        training = whole - held_out
        supports = _Lasso.of_moments(training, problem.constant).supports(penalties, settings.largest)
        for step, support in enumerate(supports):
            squared[fold, step] = _refitted_square(training, held_out, support, problem.constant)
    supports = _Lasso.of_moments(whole, problem.constant).supports(penalties, settings.largest)
    sizes = np.array([len(support) for support in supports])
    errors = np.sqrt(squared.sum(axis=0) / whole[-1, -1])[: len(supports)]
    chosen = int(np.argmin(errors))
    return LassoPath(penalties[: len(supports)], sizes, errors, chosen), columns[supports[chosen]]


def _refitted_square(
    training: Float[np.ndarray, "columns columns"],
    held_out: Float[np.ndarray, "columns columns"],
    support: Int[np.ndarray, " kept"],
    constant: bool,
) -> float:
    """‖y − Xh‖² on a fold, h from least squares on the others: vᵀMv with v = (−h, 1)."""
    columns = np.append(np.append([0], support + 1) if constant else support, len(training) - 1)
    moments = training[np.ix_(columns, columns)]
    v = np.append(-np.linalg.lstsq(moments[:-1, :-1], moments[:-1, -1], rcond=1e-12)[0], 1.0)
    return max(float(v @ held_out[np.ix_(columns, columns)] @ v), 0.0)  # rounding may take it below zero


@dataclass(frozen=True, eq=False)
class _Lasso:
    """What LASSO sees of its data: XᵀX and Xᵀy, columns of unit root mean square.

    Any other X with the same products has the same solutions; ``matrix`` is one with a row a column, XᵀX's Cholesky
    factor, and ``target`` goes with it.
    """

    gram: Float[np.ndarray, "columns columns"]
    matrix: Float[np.ndarray, "columns columns"]
    target: Float[np.ndarray, " columns"]

    @staticmethod
    def of_moments(moments: Float[np.ndarray, "terms terms"], constant: bool) -> _Lasso:
        """From the moments of [X | y].  A constant is not penalised, but fitted beforehand."""
        if constant:
            moments = moments[1:, 1:] - np.outer(moments[1:, 0], moments[0, 1:]) / moments[0, 0]
        spread = np.sqrt(np.diag(moments)[:-1])
        spread = np.where(spread > 0, spread, 1.0)
        size = len(spread)
        gram = size * (moments[:-1, :-1] / np.outer(spread, spread) + ROUNDING * np.eye(size))
        factor = np.linalg.cholesky(gram)
        correlations = size * moments[:-1, -1] / spread
        target = scipy.linalg.solve_triangular(factor, correlations, lower=True)
        return _Lasso(gram, np.asfortranarray(factor.T), target)

    def supports(self, penalties: Float[np.ndarray, " penalties"], largest: int) -> list[Int[np.ndarray, " kept"]]:
        """The columns kept at each penalty, until a set is too large."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import lasso_path

        coefficients = np.zeros(len(self.target))
        supports: list[Int[np.ndarray, " kept"]] = []
        for penalty in penalties:
            start = {"precompute": self.gram, "coef_init": coefficients, "check_input": False}
            with warnings.catch_warnings():
                # It only proposes sets: those that are not quite its minimum are refitted and judged like any other.
                warnings.simplefilter("ignore", ConvergenceWarning)
                coefficients = lasso_path(self.matrix, self.target, alphas=[penalty], **start)[1][:, 0]
            if np.count_nonzero(coefficients) > largest:
                break
            supports.append(np.flatnonzero(coefficients))
        return supports


def _strongest_penalty(lasso: _Lasso) -> float:
    """The penalty from which on LASSO keeps nothing: the largest |xᵀy| over the number of rows."""
    return float(np.abs(lasso.matrix.T @ lasso.target).max() / len(lasso.target))
