"""The sparse regression of the package: few terms out of many, from sums over blocks of samples.

The moments of blocks (``blocks``) are summed once.  A path of sets of falling size comes from elimination
(``elimination``); the size is chosen by an information criterion or by the error on blocks left out; intervals and
inclusion probabilities come from drawing blocks again, which weights moments and never goes back to the samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from mechlearn.equations.search.blocks import MomentBlocks
from mechlearn.equations.search.elimination import Constraints, Paths, eliminate, least_squares
from mechlearn.errors import InputError

#: How many numbers the covariances of the draws that are worked on together may have.
_TOGETHER = 8_000_000


@dataclass(frozen=True)
class SparseSettings:
    """How a sparse regression chooses and how it measures its certainty.

    Attributes
    ----------
    criterion : {"information", "held_out"}
        What chooses the number of terms: n ln(RSS/n) + cost · ln n, or the least error on blocks left out
        (the smallest set within one standard error of it).
    blocks : int
        Into how many blocks of consecutive samples the samples are cut where no groups are given.
    folds : int
        In how many parts the blocks are left out in turn.
    resamples : int
        How many times the blocks are drawn again.
    level : float
        The probability with which the intervals hold the coefficient.
    least_error : float
        Relative errors ‖y − Θξ‖/‖y‖ below this do not matter: those of a discretisation, for instance.
    """

    criterion: Literal["information", "held_out"] = "information"
    blocks: int = 50
    folds: int = 5
    resamples: int = 200
    level: float = 0.95
    least_error: float = 0.0


@dataclass(frozen=True, eq=False)
class RegularisationPath:
    """The best set found of every size, from all terms down to none.

    Attributes
    ----------
    sizes : (steps,)
        How many terms, falling.
    supports : (steps, terms)
        Which.
    coefficients : (steps, terms)
        Their coefficients; zero elsewhere.
    errors : (steps,)
        Relative error ‖y − Θξ‖/‖y‖ of the fit.
    held_out_errors : (steps,)
        The same on blocks left out of the fit, by a path of its own for every fold.
    criterion : (steps,)
        What is minimised.
    """

    sizes: Int[np.ndarray, " steps"]
    supports: Bool[np.ndarray, "steps terms"]
    coefficients: Float[np.ndarray, "steps terms"]
    errors: Float[np.ndarray, " steps"]
    held_out_errors: Float[np.ndarray, " steps"]
    criterion: Float[np.ndarray, " steps"]


@dataclass(frozen=True, eq=False)
class SparseFit:
    """Few terms, their coefficients, and how sure they are.

    Attributes
    ----------
    coefficients : (terms,)
        Zero outside the support.
    support : (terms,)
        Which terms are kept.
    low, high : (terms,)
        Interval of each coefficient given the support, from resamples of whole blocks.
    probability : (terms,)
        The share of resamples that keep the term when they choose anew.
    path : RegularisationPath
        The sets among which was chosen.
    error, held_out_error : float
        Relative errors ‖y − Θξ‖/‖y‖ of the chosen set, on all samples and on blocks left out.
    criterion : float
        The criterion's value for the chosen set (n ln(RSS/n) + cost ln n, or the held-out error).
    samples : int
        How many samples were fitted.
    misfit : float
        The residual over what noise alone would leave, near 1 where the terms suffice; NaN where noise is not known.
    """

    coefficients: Float[np.ndarray, " terms"]
    support: Bool[np.ndarray, " terms"]
    low: Float[np.ndarray, " terms"]
    high: Float[np.ndarray, " terms"]
    probability: Float[np.ndarray, " terms"]
    path: RegularisationPath
    error: float
    held_out_error: float
    criterion: float
    samples: int
    misfit: float = math.nan


def sparse_regression(
    columns: Float[np.ndarray, "samples terms"],
    target: Float[np.ndarray, " samples"],
    *,
    rng: np.random.Generator,
    groups_of_samples: Shaped[np.ndarray, " samples"] | None = None,
    settings: SparseSettings = SparseSettings(),
    constraints: Constraints | None = None,
    costs: Float[np.ndarray, " terms"] | None = None,
) -> SparseFit:
    """Find the few columns that make the target, y ≈ Θ ξ, with intervals and inclusion probabilities.

    Parameters
    ----------
    columns : (samples, terms)
        Θ, any scale; none may be zero throughout.
    target : (samples,)
        y.
    rng
        The source of random numbers for folds and resamples.
    groups_of_samples : (samples,)
        What belongs together (a loading case, a trajectory) is left out and drawn together; without it
        samples are cut into consecutive blocks.
    settings
        Criterion, folds, resamples.
    constraints
        C ξ = d, held exactly, in resamples too.
    costs : (terms,)
        How many terms each counts for in the criterion; 1 unless told: a term that breaks a symmetry may cost more.

    Raises
    ------
    InputError
        If there are fewer samples than terms, a column is zero, or something is not finite.
    """
    blocks = MomentBlocks.of_samples(columns, target, groups_of_samples, settings.blocks)
    return sparse_regression_of_moments(blocks, rng=rng, settings=settings, constraints=constraints, costs=costs)


def sparse_regression_of_moments(
    blocks: MomentBlocks,
    *,
    rng: np.random.Generator,
    settings: SparseSettings = SparseSettings(),
    constraints: Constraints | None = None,
    costs: Float[np.ndarray, " terms"] | None = None,
) -> SparseFit:
    """The same from moments, for samples that were streamed.

    Raises
    ------
    InputError
        If a column is zero throughout, or there are fewer than two blocks.
    """
    total = blocks.moments.sum(axis=0)
    terms = len(total) - 1
    _check(blocks, total, costs)
    chooser = _Chooser(blocks, settings, np.ones(terms) if costs is None else costs, constraints)
    one = np.ones((1, len(blocks.moments)))
    fold_of_block = rng.permutation(len(blocks.moments)) % min(settings.folds, len(blocks.moments))
    paths = chooser.paths(one)
    held_out = chooser.held_out(one, fold_of_block)
    criterion = chooser.criterion(paths, one, held_out)
    chosen = int(chooser.choose(criterion, held_out)[0])
    weights = drawn_blocks(len(blocks.moments), settings.resamples, rng)
    support = paths.supports[0, chosen]
    refits = chooser.refits(weights, support)
    low, high = np.quantile(refits, [(1 - settings.level) / 2, (1 + settings.level) / 2], axis=0)
    errors = np.sqrt(np.maximum(paths.squares(total[None])[0], 0.0) / total[-1, -1])
    held_out_errors = np.sqrt(np.maximum(held_out[0].sum(axis=0), 0.0) / total[-1, -1])
    path = RegularisationPath(
        sizes=paths.supports[0].sum(axis=1),
        supports=paths.supports[0],
        coefficients=paths.coefficients[0],
        errors=errors,
        held_out_errors=held_out_errors,
        criterion=criterion[0],
    )
    return SparseFit(
        coefficients=paths.coefficients[0, chosen],
        support=support,
        low=low,
        high=high,
        probability=chooser.probability(weights, fold_of_block),
        path=path,
        error=float(errors[chosen]),
        held_out_error=float(held_out_errors[chosen]),
        criterion=float(criterion[0, chosen]),
        samples=int(blocks.samples.sum()),
    )


@dataclass(frozen=True, eq=False)
class _Chooser:
    """Paths, errors on what is left out and the choice among them, for any weights of the blocks."""

    blocks: MomentBlocks
    settings: SparseSettings
    costs: Float[np.ndarray, " terms"]
    constraints: Constraints | None

    def paths(self, weights: Float[np.ndarray, "draws blocks"]) -> Paths:
        return eliminate(self.blocks.weighted(weights), self.costs, self.constraints)

    def held_out(
        self, weights: Float[np.ndarray, "draws blocks"], fold_of_block: Int[np.ndarray, " blocks"]
    ) -> Float[np.ndarray, "draws folds steps"]:
        """Squares on each fold of a path that was made without it."""
        squares = []
        for fold in range(int(fold_of_block.max()) + 1):
            inside = fold_of_block == fold
            path = self.paths(weights * ~inside)
            squares.append(path.squares(self.blocks.weighted(weights * inside)))
        return np.stack(squares, axis=1)

    def criterion(
        self,
        paths: Paths,
        weights: Float[np.ndarray, "draws blocks"],
        held_out: Float[np.ndarray, "draws folds steps"] | None,
    ) -> Float[np.ndarray, "draws steps"]:
        """n ln(RSS/n) + cost ln n, or the squares left out, n ln of them too, so that both read alike."""
        samples = (weights @ self.blocks.samples)[:, None]
        if self.settings.criterion == "held_out":
            assert held_out is not None
            least = self.settings.least_error**2 * self.blocks.moments[:, -1, -1].sum()
            return np.maximum(held_out.sum(axis=1), least)
        moments = self.blocks.weighted(weights)
        least = max(self.settings.least_error, np.finfo(float).eps) ** 2 * moments[:, -1, -1][:, None]
        squares = np.maximum(paths.squares(moments), 0.0) + least
        return samples * np.log(squares / samples) + paths.supports @ self.costs * np.log(samples)

    def choose(
        self,
        criterion: Float[np.ndarray, "draws steps"],
        held_out: Float[np.ndarray, "draws folds steps"] | None,
    ) -> Int[np.ndarray, " draws"]:
        """The step of least criterion; of held-out errors, the smallest set within a standard error of the least."""
        best = np.argmin(criterion, axis=1)
        if self.settings.criterion == "information":
            return best
        assert held_out is not None
        each, folds = np.arange(len(best)), held_out.shape[1]
        excess = held_out - held_out[each, :, best][:, :, None]
        within = excess.sum(axis=1) <= np.sqrt(folds) * excess.std(axis=1, ddof=1)
        within |= criterion <= criterion.min(axis=1, keepdims=True)
        within[each, best] = True
        return within.shape[1] - 1 - np.argmax(within[:, ::-1], axis=1)

    def probability(
        self, weights: Float[np.ndarray, "draws blocks"], fold_of_block: Int[np.ndarray, " blocks"]
    ) -> Float[np.ndarray, " terms"]:
        """The share of draws that keep each term when the whole choice is made anew."""
        together = max(1, _TOGETHER // len(self.costs) ** 2)
        kept = np.zeros(len(self.costs))
        for start in range(0, len(weights), together):
            some = weights[start : start + together]
            paths = self.paths(some)
            held_out = self.held_out(some, fold_of_block) if self.settings.criterion == "held_out" else None
            chosen = self.choose(self.criterion(paths, some, held_out), held_out)
            kept += paths.supports[np.arange(len(some)), chosen].sum(axis=0)
        return kept / len(weights)

    def refits(
        self, weights: Float[np.ndarray, "draws blocks"], support: Bool[np.ndarray, " terms"]
    ) -> Float[np.ndarray, "draws terms"]:
        """Coefficients of one set on every draw."""
        coefficients = np.zeros((len(weights), len(support)))
        inside = np.flatnonzero(support)
        if not len(inside):
            return coefficients
        columns = np.append(inside, len(support))
        some = MomentBlocks(self.blocks.moments[:, columns[:, None], columns], self.blocks.samples)
        moments = some.weighted(weights)
        scale = np.sqrt(np.maximum(np.einsum("rii->ri", moments)[:, :-1], np.finfo(float).tiny))
        held = self.constraints and Constraints(self.constraints.matrix[:, inside], self.constraints.values)
        coefficients[:, inside] = least_squares(moments, held, scale)[0] / scale
        return coefficients


def drawn_blocks(blocks: int, draws: int, rng: np.random.Generator) -> Float[np.ndarray, "draws blocks"]:
    """How often each block is drawn, when as many are drawn as there are."""
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws).astype(float)


def _check(
    blocks: MomentBlocks, total: Float[np.ndarray, "columns columns"], costs: Float[np.ndarray, " terms"] | None
) -> None:
    if len(blocks.moments) < 2:
        raise InputError("fitting candidate terms: all samples are one group; give two groups or more, or none")
    if blocks.samples.sum() < len(total) - 1:
        raise InputError(
            f"fitting {len(total) - 1} candidate terms: only {blocks.samples.sum():.0f} samples; "
            "give more samples or fewer candidates"
        )
    zero = np.flatnonzero(np.diag(total) <= 0)
    if len(zero):
        which = "the target" if zero[0] == len(total) - 1 else f"candidate term {zero[0]}"
        raise InputError(f"fitting candidate terms: {which} is zero in every sample; leave it out")
    if costs is not None and (len(costs) != len(total) - 1 or not (costs > 0).all()):
        raise InputError(f"fitting candidate terms: costs must be {len(total) - 1} positive numbers")
