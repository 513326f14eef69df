"""Curves behind the scores of rare events: by the label's threshold, by magnitude, by the threshold of the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mechlearn.errors import InputError
from mechlearn.evaluation.classification import EventPredictions, ratio
from mechlearn.evaluation.classification_ranking import SpecimenRanking
from mechlearn.evaluation.classification_scorecard import (
    DEFAULT_RESAMPLING,
    ModelScores,
    Resampling,
    rare_event_scorecard,
)
from mechlearn.evaluation.resampling import WeightStatistic, weighted_intervals

# ---------------------------------------------------------------------- threshold of the label


@dataclass(frozen=True, eq=False)
class SweepRow:
    """The scores of one model with one definition of the event.

    Attributes
    ----------
    threshold : float
        Above which an atom is positive, such as D²min in Å².
    prevalence, class_ratio : float
        Positives over all atoms, and over the others.
    scores : ModelScores
        Of the model.
    """

    threshold: float
    prevalence: float
    class_ratio: float
    scores: ModelScores

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        numbers = {"threshold": self.threshold, "prevalence": self.prevalence, "class_ratio": self.class_ratio}
        return {**numbers, **self.scores.to_dict()}


def relabelled(
    predictions: EventPredictions, magnitudes: Float[np.ndarray, " atoms"], thresholds: Sequence[float]
) -> dict[float, EventPredictions]:
    """The same predictions beside the labels that each threshold gives: positive where the magnitude is above.

    Parameters
    ----------
    magnitudes
        What the label is made of, such as D²min at the event, one an atom.
    thresholds
        In the unit of the magnitudes.

    Raises
    ------
    InputError
        If there is not one magnitude an atom.

    Examples
    --------
    >>> says = EventPredictions(np.array([0.9, 0.1]), np.array([True, False]), np.array([0, 2]), ("a",))
    >>> [one.prevalence for one in relabelled(says, np.array([0.3, 0.2]), [0.1, 0.25]).values()]
    [1.0, 0.5]
    """
    _check_magnitudes(predictions, magnitudes)
    return {float(threshold): predictions.with_truth(magnitudes > threshold) for threshold in thresholds}


def threshold_sweep(
    name: str,
    predictions: Mapping[float, EventPredictions],
    *,
    trained_on: Collection[str],
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> tuple[SweepRow, ...]:
    """Score a model at several definitions of the event (Figure 4 of Lee and Ryu).

    Parameters
    ----------
    name
        Of the model.
    predictions
        By threshold: those of a model trained anew with each, as in the paper, or of one model
        (:func:`relabelled`).
    trained_on, resampling
        As in :func:`mechlearn.evaluation.rare_event_scorecard`.

    Raises
    ------
    InputError
        As :func:`mechlearn.evaluation.rare_event_scorecard`.
    """
    rows = []
    for threshold, says in sorted(predictions.items()):
        card = rare_event_scorecard(name, {name: says}, trained_on=trained_on, resampling=resampling)
        share = says.prevalence
        rows.append(SweepRow(threshold, share, share / (1.0 - share) if share < 1 else np.inf, card[name]))
    return tuple(rows)


# ---------------------------------------------------------------------- magnitude


@dataclass(frozen=True, eq=False)
class DetectionCurve:
    """How often atoms of a magnitude are called positive, and how many there are.

    Attributes
    ----------
    edges : (bins + 1,)
        Of the bins of magnitude.
    atoms : (bins,)
        How many atoms each holds.
    called, low, high : (bins,)
        The share that is called positive, with its interval over specimens; NaN where there are none.
    """

    edges: Float[np.ndarray, " edges"]
    atoms: Int[np.ndarray, " bins"]
    called: Float[np.ndarray, " bins"]
    low: Float[np.ndarray, " bins"]
    high: Float[np.ndarray, " bins"]


def detection_by_magnitude(
    predictions: EventPredictions,
    magnitudes: Float[np.ndarray, " atoms"],
    edges: Float[np.ndarray, " edges"],
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> DetectionCurve:
    """Find the share of atoms called positive by what they truly did (Figure 3A and B of Lee and Ryu).

    The share at large magnitudes is the recall.  It says nothing of precision unless the numbers of atoms, which fall
    by decades, are beside it; so they are.

    Parameters
    ----------
    magnitudes
        What each atom did, such as D²min at the event.
    edges
        Ascending; a bin holds what is no less than its lower edge and less than its upper one.

    Raises
    ------
    InputError
        If there is not one magnitude an atom, or the edges do not ascend.

    Examples
    --------
    >>> says = EventPredictions(np.array([0.9, 0.1, 0.7]), np.array([True, False, False]), np.array([0, 3]), ("a",))
    >>> curve = detection_by_magnitude(says, np.array([0.3, 0.01, 0.02]), np.array([0.0, 0.1, 1.0]))
    >>> curve.atoms.tolist(), curve.called.tolist()
    ([2, 1], [0.5, 1.0])
    """
    _check_magnitudes(predictions, magnitudes)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InputError(f"binning by magnitude: the edges {edges.tolist()[:5]} do not ascend; give two or more")
    bins, count = len(edges) - 1, len(predictions.specimen_names)
    place = np.searchsorted(edges, magnitudes, side="right") - 1
    inside = (place >= 0) & (place < bins)
    cell = (predictions.specimen_of_run[predictions.run_of_atom] * bins + place)[inside]
    atoms = np.bincount(cell, minlength=count * bins).reshape(count, bins)
    said = (predictions.confidences >= predictions.threshold)[inside]
    called = np.bincount(cell, said, minlength=count * bins).reshape(count, bins)

    def share_of(bin_: int) -> WeightStatistic:
        return lambda weights: np.asarray(ratio(weights @ called[:, bin_], weights @ atoms[:, bin_]))

    shares = {str(bin_): share_of(bin_) for bin_ in range(bins)}
    found = weighted_intervals(shares, count, resampling.rng(), resampling.level, resampling.draws)
    columns = [[getattr(interval, end) for interval in found.values()] for end in ("estimate", "low", "high")]
    return DetectionCurve(edges, atoms.sum(axis=0), *(np.array(column) for column in columns))


# ---------------------------------------------------------------------- threshold of the call


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision against recall, at every confidence that a positive atom has.

    Attributes
    ----------
    recall, precision : (levels,)
        Recall ascends.
    prevalence : float
        The precision of chance, at every recall.
    average_precision : float
        The area under the steps.
    """

    recall: Float[np.ndarray, " levels"]
    precision: Float[np.ndarray, " levels"]
    prevalence: float
    average_precision: float


def precision_recall(predictions: EventPredictions) -> PrecisionRecall:
    """Find precision against recall while the threshold of the call goes down.

    Raises
    ------
    InputError
        If no atom is positive.

    Examples
    --------
    >>> says = EventPredictions(np.array([0.9, 0.8, 0.1]), np.array([False, True, True]), np.array([0, 3]), ("a",))
    >>> curve = precision_recall(says)
    >>> curve.recall.tolist(), curve.precision.round(3).tolist()
    ([0.5, 1.0], [0.5, 0.667])
    """
    if not predictions.positive.any():
        raise InputError("drawing precision against recall: no atom is positive, both are undefined; give other labels")
    ranking = SpecimenRanking.of(predictions)
    true = np.cumsum(ranking.at_level.sum(axis=0))
    false = ranking.alarms.sum(axis=0)
    average = ranking.average_precision(np.ones((1, len(ranking.counts))))
    return PrecisionRecall(true / true[-1], true / (true + false), predictions.prevalence, float(average[0]))


def _check_magnitudes(predictions: EventPredictions, magnitudes: Float[np.ndarray, " atoms"]) -> None:
    if magnitudes.shape != (predictions.atoms,) or np.isnan(magnitudes).any():
        raise InputError(
            f"labelling by magnitude: {magnitudes.shape} magnitudes for {predictions.atoms} atoms, or some are not "
            "numbers; give one an atom"
        )
