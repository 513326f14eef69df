"""How well each run is ranked by itself: what one ranking of all atoms hides where events differ a hundredfold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import digamma

from mechlearn.evaluation.classification import EventPredictions, ratio
from mechlearn.evaluation.resampling import WeightStatistic


@dataclass(frozen=True, eq=False)
class RunRankings:
    """The average precision of every run over its own prevalence.

    All atoms of all runs in one ranking, as AP takes them, are a matter of the largest events: a run with five hundred
    positive atoms counts a hundred times as much as one with five.  Here each run counts once.  A run without a
    positive atom has no score, and does not count.

    Attributes
    ----------
    lifts : (runs,)
        AP / π of each run; NaN without a positive atom.
    chance : (runs,)
        What a blind order gives: slightly above 1.
    specimens : (runs,)
        The place of each run's specimen.

    Examples
    --------
    >>> truth = np.array([True, False, False, False, True, True, False, False])
    >>> says = np.array([0.9, 0.1, 0.2, 0.3, 0.1, 0.9, 0.2, 0.3])
    >>> RunRankings.of(EventPredictions(says, truth, np.array([0, 4, 8]), ("a", "b"))).lifts.tolist()
    [4.0, 1.5]
    """

    lifts: Float[np.ndarray, " runs"]
    chance: Float[np.ndarray, " runs"]
    specimens: Float[np.ndarray, " runs"]

    @classmethod
    def of(cls, predictions: EventPredictions) -> RunRankings:
        """Rank the atoms of each run by themselves."""
        runs = len(predictions.specimens)
        lifts, chance = np.empty(runs), np.empty(runs)
        for run in range(runs):
            own = slice(predictions.offsets[run], predictions.offsets[run + 1])
            truth = predictions.positive[own]
            lifts[run] = _average_precision(predictions.confidences[own], truth) / max(truth.mean(), 1e-300)
            chance[run] = _blind(int(truth.sum()), len(truth))
        return cls(lifts, chance, predictions.specimen_of_run.astype(np.float64))

    def statistic(self, *, blind: bool = False) -> WeightStatistic:
        """The mean over runs, as a function of the weights of specimens."""
        values = self.chance if blind else self.lifts
        counted = np.isfinite(self.lifts)
        place, count = self.specimens.astype(int), int(self.specimens.max()) + 1
        sums = np.bincount(place[counted], values[counted], count)
        runs = np.bincount(place[counted], minlength=count).astype(np.float64)
        return lambda weights: np.asarray(ratio(weights @ sums, weights @ runs))


def _average_precision(confidences: Float[np.ndarray, " atoms"], truth: np.ndarray) -> float:
    """The mean over the positives of the precision among all atoms ranked no lower; NaN without any."""
    if not truth.any():
        return float("nan")
    levels = np.unique(confidences[truth])[::-1]
    ranked = np.sort(confidences)
    called = len(ranked) - np.searchsorted(ranked, levels, side="left")
    gained = np.bincount(np.searchsorted(-levels, -confidences[truth]), minlength=len(levels))
    return float(np.sum(gained * np.cumsum(gained) / called) / truth.sum())


def _blind(positives: int, atoms: int) -> float:
    """The mean AP of all orders over the prevalence: ((P−1)/(n−1) (n − H_n) + H_n)/P."""
    if positives == 0 or atoms == 1:
        return float("nan") if positives == 0 else 1.0
    harmonic = digamma(atoms + 1.0) + np.euler_gamma
    return float(((positives - 1) / (atoms - 1) * (atoms - harmonic) + harmonic) / positives)
