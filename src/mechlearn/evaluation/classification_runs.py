"""How well each run is ranked by itself: what one ranking of all atoms hides where events differ a hundredfold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.evaluation.classification import EventPredictions, ratio
from mechlearn.evaluation.classification_ranking import ChanceRanking, SpecimenRanking
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
        once = np.ones((1, 1))
        scores = []
        for run in range(len(predictions.specimens)):
            ranking = SpecimenRanking.of(predictions.select([run]))
            found = [one.statistics()["ap_lift"](once)[0] for one in (ranking, ChanceRanking(ranking))]
            scores.append(found if np.isfinite(found).all() else [np.nan, np.nan])
        lifts, chance = np.array(scores).T
        return cls(lifts, chance, predictions.specimen_of_run.astype(np.float64))

    def statistic(self, *, blind: bool = False) -> WeightStatistic:
        """The mean over runs, as a function of the weights of specimens."""
        values = self.chance if blind else self.lifts
        counted = np.isfinite(self.lifts)
        place, count = self.specimens.astype(int), int(self.specimens.max()) + 1
        sums = np.bincount(place[counted], values[counted], count)
        runs = np.bincount(place[counted], minlength=count).astype(np.float64)
        return lambda weights: np.asarray(ratio(weights @ sums, weights @ runs))
