"""The evidence for each symmetry: fits of every group to the same data, judged on blocks left out.

A group is *adequate* when blocks left out are predicted as well as by the best group: its excess of squared error is
within so many standard errors (of the excess, block by block), or too small to matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.equations.symmetry.groups import SymmetryGroup
from mechlearn.equations.symmetry.law_moments import LawMoments


@dataclass(frozen=True)
class SymmetrySettings:
    """How a symmetry is chosen.

    Attributes
    ----------
    blocks, folds, resamples
        As in ``SparseSettings``, for the comparison of groups.
    standard_errors : float
        How many standard errors of the excess a group may lie above the best.
    tolerance : float
        A relative excess of the held-out error that does not matter, whatever the number of samples.
    criterion
        As in ``SparseSettings``, for the terms of the law within the group.
    """

    blocks: int = 40
    folds: int = 10
    resamples: int = 100
    standard_errors: float = 2.0
    tolerance: float = 0.01
    criterion: Literal["information", "held_out"] = "information"


@dataclass(frozen=True)
class SymmetryEvidence:
    """What the data say of one group.

    Attributes
    ----------
    group, symbol : str
        The group.
    alike : tuple of str
        Other groups that allow the very same terms here, so that no data of this kind can tell them apart.
    terms : int
        How many terms it allows.
    error, held_out_error : float
        ‖y − f(x)‖/‖y‖ with all its terms, on the samples fitted and on blocks left out.
    broken : float
        The part of the law that the group cannot give, √(e² − e₀²), e₀ the held-out error of the best group.
    criterion : float
        n ln(RSS/n) + terms · ln n, less that of the best group.
    adequate : bool
        Whether blocks left out are predicted as well as by the best group.
    share : float
        In what share of resamples it is the answer.
    """

    group: str
    symbol: str
    alike: tuple[str, ...]
    terms: int
    error: float
    held_out_error: float
    broken: float
    criterion: float
    adequate: bool
    share: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Fits of groups to the same sums.

    Attributes
    ----------
    moments : LawMoments
        The data, block by block.
    polynomials : sequence of (terms, components, monomials)
        The terms of each group, over the same monomials; fewest terms first.
    settings : SymmetrySettings
        Folds, resamples, and what counts as adequate.
    noise : float
        The variance of the noise of a row, where it is known; nobody can ask a law to be better than that.
    """

    moments: LawMoments
    polynomials: Sequence[Float[np.ndarray, "_ _ _"]]
    settings: SymmetrySettings
    noise: float = 0.0

    def evidence(
        self, groups: Sequence[SymmetryGroup], alike: Sequence[tuple[str, ...]], rng: np.random.Generator
    ) -> tuple[SymmetryEvidence, ...]:
        """All groups compared; the first that is adequate is the answer."""
        blocks = len(self.moments.rows)
        whole = np.ones(blocks)
        total = float(self.moments.squares.sum(axis=0) @ self.moments.metric)
        rows = float(self.moments.rows.sum()) * len(self.moments.metric)
        fitted = np.array([residual.sum() for residual in self._residuals(whole)])
        held_out = self._held_out(rng)
        adequate = self._adequate(held_out, float(self.moments.rows.sum()))
        shares = self._shares(rng)
        sizes = np.array([len(terms) for terms in self.polynomials])
        criterion = rows * np.log(np.maximum(fitted, 1e-300) / rows) + sizes * np.log(rows)
        errors = held_out.sum(axis=1) / total
        return tuple(
            SymmetryEvidence(
                group=group.name,
                symbol=group.symbol,
                alike=alike[place],
                terms=int(sizes[place]),
                error=float(np.sqrt(fitted[place] / total)),
                held_out_error=float(np.sqrt(errors[place])),
                broken=float(np.sqrt(max(errors[place] - errors.min(), 0.0))),
                criterion=float(criterion[place] - criterion.min()),
                adequate=bool(adequate[place]),
                share=float(shares[place]),
            )
            for place, group in enumerate(groups)
        )

    def answer(self, rng: np.random.Generator) -> Float[np.ndarray, "components monomials"]:
        """The law with all terms of the first group that is adequate, without the rest of the evidence."""
        place = int(np.argmax(self._adequate(self._held_out(rng), float(self.moments.rows.sum()))))
        return self.moments.weighted(np.ones(len(self.moments.rows))).fit(self.polynomials[place])

    def _residuals(self, weights: Float[np.ndarray, " blocks"]) -> Float[np.ndarray, "groups blocks"]:
        """The squared errors of all blocks, by laws fitted to weighted ones."""
        drawn = self.moments.weighted(weights)
        return np.stack([self.moments.residual(drawn.fit(terms)) for terms in self.polynomials])

    def _held_out(self, rng: np.random.Generator) -> Float[np.ndarray, "groups blocks"]:
        blocks = len(self.moments.rows)
        fold = rng.permutation(blocks) % min(self.settings.folds, blocks)
        held_out = np.empty((len(self.polynomials), blocks))
        for number in range(int(fold.max()) + 1):
            residuals = self._residuals((fold != number).astype(float))
            held_out[:, fold == number] = residuals[:, fold == number]
        return held_out

    def _adequate(self, held_out: Float[np.ndarray, "groups blocks"], rows: float) -> Bool[np.ndarray, " groups"]:
        """Which groups predict blocks left out as well as the best one does."""
        excess = held_out - held_out[np.argmin(held_out.sum(axis=1))]
        count = held_out.shape[1]
        spread = excess.std(axis=1, ddof=1) * np.sqrt(count)
        small = ((1 + self.settings.tolerance) ** 2 - 1) * max(float(held_out.sum(axis=1).min()), rows * self.noise)
        return excess.sum(axis=1) <= np.maximum(self.settings.standard_errors * spread, small)

    def _shares(self, rng: np.random.Generator) -> Float[np.ndarray, " groups"]:
        """How often each group is the answer when blocks are drawn again and judged on those not drawn."""
        blocks = len(self.moments.rows)
        wins = np.zeros(len(self.polynomials))
        for _ in range(self.settings.resamples):
            weights = np.bincount(rng.integers(blocks, size=blocks), minlength=blocks).astype(float)
            left_out = weights == 0
            if left_out.sum() > 1:
                held_out = self._residuals(weights)[:, left_out]
                wins[np.argmax(self._adequate(held_out, float(self.moments.rows[left_out].sum())))] += 1
        return wins / max(wins.sum(), 1)
