"""Scores of a ranking under any weights of the specimens, from one sorting.

Recall changes only at confidences that a positive atom has, the *levels*.  Let p_gk be the positive atoms of specimen
g at level k (levels descend), and n_gk its negative ones with at least that confidence.  With weights w_g

    TP_k = Σ_g w_g Σ_{l≤k} p_gl,   FP_k = Σ_g w_g n_gk,   AP = Σ_k (TP_k − TP_{k−1})/P · TP_k/(TP_k + FP_k)
    AUC = wᵀ U w / (P N),          U_gh = Σ over positives of g and negatives of h of [c > c'] + ½ [c = c']

so that a draw of the bootstrap is a product with small matrices, whatever the number of atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import digamma

from mechlearn.evaluation.classification import Confusion, EventPredictions, ratio
from mechlearn.evaluation.resampling import WeightStatistic

#: Numbers held at a time by a product of draws and levels.
_CHUNK = 4_000_000

Weights = Float[np.ndarray, "draws specimens"]
Draws = Float[np.ndarray, " draws"]


@dataclass(frozen=True, eq=False)
class SpecimenRanking:
    """What the scores of a ranking need of each specimen.

    Attributes
    ----------
    counts : (specimens, 4)
        TP, FP, FN and TN at the threshold.
    at_level : (specimens, levels)
        Positive atoms with exactly this confidence; levels descend.
    alarms : (specimens, levels)
        Negative atoms with at least this confidence.
    wins : (specimens, specimens)
        U: pairs of a positive of the first and a negative of the second that stand in the right order, ties half.
    prevalence : float or None
        The prevalence at which precision, F1, MCC and AP are wanted; None for that of the data.
    """

    counts: Float[np.ndarray, "specimens 4"]
    at_level: Float[np.ndarray, "specimens levels"]
    alarms: Float[np.ndarray, "specimens levels"]
    wins: Float[np.ndarray, "specimens specimens"]
    prevalence: float | None = None

    @classmethod
    def of(cls, predictions: EventPredictions, prevalence: float | None = None) -> SpecimenRanking:
        """Sort the atoms of each specimen once, and count."""
        specimen = predictions.specimen_of_run[predictions.run_of_atom]
        count = len(predictions.specimen_names)
        levels = np.unique(predictions.confidences[predictions.positive])[::-1]
        counts, at_level = np.zeros((count, 4)), np.zeros((count, len(levels)))
        alarms, above = np.zeros((count, len(levels))), np.zeros((count, len(levels)))
        for g in range(count):
            own = predictions.confidences[specimen == g]
            positive = predictions.positive[specimen == g]
            missed = np.sort(own[~positive])
            at_level[g] = np.bincount(np.searchsorted(-levels, -own[positive]), minlength=len(levels))
            alarms[g] = len(missed) - np.searchsorted(missed, levels, side="left")
            above[g] = len(missed) - np.searchsorted(missed, levels, side="right")
            called = own >= predictions.threshold
            counts[g] = [(called & positive).sum(), (called & ~positive).sum(), 0.0, 0.0]
            counts[g, 2:] = [positive.sum() - counts[g, 0], len(missed) - counts[g, 1]]
        negatives = counts[:, 1] + counts[:, 3]
        wins = at_level @ (negatives[:, None] - 0.5 * (alarms + above)).T
        return cls(counts, at_level, alarms, wins, prevalence)

    def statistics(self) -> dict[str, WeightStatistic]:
        """The scores by name, as functions of weights: recall, precision, f1, mcc, auc, ap and ap_lift."""
        return {
            "recall": lambda weights: np.asarray(self.confusion(weights).recall),
            "precision": lambda weights: np.asarray(self.confusion(weights).precision),
            "f1": lambda weights: np.asarray(self.confusion(weights).f1),
            "mcc": lambda weights: np.asarray(self.confusion(weights).mcc),
            "auc": self.auc,
            "ap": self.average_precision,
            "ap_lift": lambda weights: self.average_precision(weights) / self.prevalences(weights),
        }

    def confusion(self, weights: Weights) -> Confusion:
        """The counts of each draw, at the prevalence that is wanted."""
        found = Confusion(*(weights @ self.counts).T)
        return found if self.prevalence is None else found.at_prevalence(self.prevalence)

    def prevalences(self, weights: Weights) -> Draws:
        """π of each draw."""
        return np.asarray(self.confusion(weights).prevalence)

    def auc(self, weights: Weights) -> Draws:
        """The area under the ROC curve: the share of pairs, one positive and one not, in the right order."""
        found = Confusion(*(weights @ self.counts).T)
        won = np.einsum("dg,gh,dh->d", weights, self.wins, weights, optimize=True)
        return np.asarray(ratio(won, found.positives * found.negatives))

    def average_precision(self, weights: Weights) -> Draws:
        """AP: the mean over the positives of the precision among all atoms ranked no lower."""
        confusion = Confusion(*(weights @ self.counts).T)
        scale = np.ones(len(weights))
        if self.prevalence is not None:
            matched = confusion.at_prevalence(self.prevalence)
            scale = np.asarray(ratio(matched.negatives, confusion.negatives))
        found = np.empty(len(weights))
        step = max(1, _CHUNK // max(1, self.at_level.shape[1]))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            gained = weights[part] @ self.at_level
            true = np.cumsum(gained, axis=1)
            false = (weights[part] @ self.alarms) * scale[part, None]
            # Where nothing is gained there may be nothing called either: any denominator will do.
            found[part] = np.sum(gained * true / np.maximum(true + false, 1e-300), axis=1)
        return np.asarray(ratio(found, np.asarray(confusion.positives)))


@dataclass(frozen=True, eq=False)
class ChanceRanking:
    """The scores of confidences drawn evenly between 0 and 1, half of them above the threshold.

    Attributes
    ----------
    ranking : SpecimenRanking
        Any ranking of the same atoms: its positives and negatives count, their order does not.
    """

    ranking: SpecimenRanking

    def statistics(self) -> dict[str, WeightStatistic]:
        """As :meth:`SpecimenRanking.statistics`."""
        return {
            "recall": lambda weights: np.asarray(self._halved(weights).recall),
            "precision": lambda weights: np.asarray(self._halved(weights).precision),
            "f1": lambda weights: np.asarray(self._halved(weights).f1),
            "mcc": lambda weights: np.asarray(self._halved(weights).mcc),
            "auc": lambda weights: 0.5 + 0.0 * self.average_precision(weights),
            "ap": self.average_precision,
            "ap_lift": lambda weights: self.average_precision(weights) / self.ranking.prevalences(weights),
        }

    def average_precision(self, weights: Weights) -> Draws:
        """The mean AP of all orders of P positives and n − P others: ((P−1)/(n−1) (n − H_n) + H_n)/n.

        Slightly above P/n: H_n = 1 + 1/2 + … + 1/n.
        """
        counts = self.ranking.confusion(weights)
        positives, atoms = np.asarray(counts.positives), np.asarray(counts.positives + counts.negatives)
        harmonic = digamma(atoms + 1.0) + np.euler_gamma
        others = np.asarray(ratio(positives - 1.0, atoms - 1.0))
        return np.where(positives > 0, (others * (atoms - harmonic) + harmonic) / atoms, np.nan)

    def _halved(self, weights: Weights) -> Confusion:
        """Half of the positives and half of the others are called positive."""
        counts = self.ranking.confusion(weights)
        positives, negatives = 0.5 * np.asarray(counts.positives), 0.5 * np.asarray(counts.negatives)
        return Confusion(positives, negatives, positives, negatives)
