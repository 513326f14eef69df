"""Predictions of rare events: what a model says of each atom beside what happened, and counts of right and wrong.

Of a glass under load one atom in five hundred takes part in the first event.  A score that is high whatever the share
of such atoms (recall, AUC) says nothing of how many alarms are false; so no score here goes without the prevalence.
Where no atom is positive nothing can be found, and every score is undefined: NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError, WorkError

#: A count of atoms, or one of each draw.
Counts: TypeAlias = float | Float[np.ndarray, " draws"]


@dataclass(frozen=True, eq=False)
class EventPredictions:
    """How sure a model is of each atom of several runs, beside the truth.

    A run is one specimen under one loading; it owns the atoms ``offsets[run]:offsets[run + 1]``.

    Attributes
    ----------
    confidences : (atoms,)
        The higher, the surer that the atom takes part; a probability, or any number that ranks.
    positive : (atoms,)
        Whether it does.
    offsets : (runs + 1,)
        Where the atoms of each run begin.
    specimens : tuple of str, one a run
        The specimen that was loaded: what is independent of the others, as its loadings are not.
    threshold : float
        An atom is called positive where its confidence is no less.

    Raises
    ------
    InputError
        If the lengths do not fit each other.
    WorkError
        If a confidence is not a number.

    Examples
    --------
    >>> predictions = EventPredictions(
    ...     np.array([0.9, 0.2, 0.6, 0.1]), np.array([True, False, False, False]), np.array([0, 2, 4]), ("a", "b")
    ... )
    >>> predictions.prevalence, predictions.confusion().precision
    (0.25, 0.5)
    """

    confidences: Float[np.ndarray, " atoms"]
    positive: Bool[np.ndarray, " atoms"]
    offsets: Int[np.ndarray, " runs_and_one"]
    specimens: tuple[str, ...]
    threshold: float = 0.5

    def __post_init__(self) -> None:
        atoms, runs = len(self.confidences), len(self.specimens)
        fits = len(self.positive) == atoms and len(self.offsets) == runs + 1
        if (
            not fits
            or runs == 0
            or self.offsets[0] != 0
            or self.offsets[-1] != atoms
            or (np.diff(self.offsets) < 1).any()
        ):
            raise InputError(
                f"scoring predictions: {atoms} confidences, {len(self.positive)} truths, {runs} specimens and offsets "
                f"{self.offsets.tolist()[:4]}… do not fit; give one truth an atom, one specimen a run, and runs that "
                "hold all atoms"
            )
        if np.isnan(self.confidences).any():
            atom = int(np.argmax(np.isnan(self.confidences)))
            raise WorkError(
                f"scoring predictions: {int(np.isnan(self.confidences).sum())} of {atoms} confidences are not numbers, "
                f"the first that of atom {atom}; find out why the model fails there"
            )

    @property
    def atoms(self) -> int:
        """The number of atoms of all runs."""
        return len(self.confidences)

    @property
    def prevalence(self) -> float:
        """The share of the atoms that are positive."""
        return float(self.positive.mean())

    @property
    def run_of_atom(self) -> Int[np.ndarray, " atoms"]:
        """The run that owns each atom."""
        return np.repeat(np.arange(len(self.specimens)), np.diff(self.offsets))

    @property
    def specimen_names(self) -> tuple[str, ...]:
        """The specimens, each once, in the order of their first runs."""
        return tuple(dict.fromkeys(self.specimens))

    @property
    def specimen_of_run(self) -> Int[np.ndarray, " runs"]:
        """The place of each run's specimen among ``specimen_names``."""
        places = {name: place for place, name in enumerate(self.specimen_names)}
        return np.array([places[name] for name in self.specimens])

    def confusion(self) -> Confusion:
        """The counts of right and wrong at the threshold."""
        called = self.confidences >= self.threshold
        return Confusion(
            float((called & self.positive).sum()),
            float((called & ~self.positive).sum()),
            float((~called & self.positive).sum()),
            float((~called & ~self.positive).sum()),
        )

    def select(self, runs: Sequence[int] | Int[np.ndarray, " chosen"] | Bool[np.ndarray, " runs"]) -> EventPredictions:
        """The runs at these indices (or where a mask is true), such as those whose event came early.

        Raises
        ------
        InputError
            If there is none.
        """
        chosen = np.arange(len(self.specimens))[np.asarray(runs)]
        if len(chosen) == 0:
            raise InputError("choosing runs to score: none was chosen; choose at least one")
        rows = np.concatenate([np.arange(self.offsets[run], self.offsets[run + 1]) for run in chosen])
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.offsets)[chosen])])
        specimens = tuple(self.specimens[run] for run in chosen)
        return EventPredictions(self.confidences[rows], self.positive[rows], offsets, specimens, self.threshold)

    def with_truth(self, positive: Bool[np.ndarray, " atoms"]) -> EventPredictions:
        """The same predictions beside other labels."""
        return replace(self, positive=positive)


@dataclass(frozen=True)
class Confusion:
    """Counts of right and wrong, and the scores that they give; NaN where one is undefined.

    With no positive atom all are; with none that is called positive, precision and MCC are.

    Attributes
    ----------
    true_positives, false_positives, false_negatives, true_negatives : float or (draws,)
        TP, FP, FN, TN.

    References
    ----------
    J. Lee and S. Ryu, Front. Mater. 9, 874339 (2022), whose formula of the MCC is misprinted: its numerator is
    TP·TN − FP·FN.

    Examples
    --------
    Their counts:

    >>> paper = Confusion(1134, 126_180, 486, 772_200)
    >>> [round(float(score), 4) for score in (paper.prevalence, paper.recall, paper.precision, paper.f1, paper.mcc)]
    [0.0018, 0.7, 0.0089, 0.0176, 0.0681]
    """

    true_positives: Counts
    false_positives: Counts
    false_negatives: Counts
    true_negatives: Counts

    @property
    def positives(self) -> Counts:
        """P = TP + FN."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> Counts:
        """N = FP + TN."""
        return self.false_positives + self.true_negatives

    @property
    def prevalence(self) -> Counts:
        """π = P / (P + N)."""
        return ratio(self.positives, self.positives + self.negatives)

    @property
    def recall(self) -> Counts:
        """TP / P: of the positive, the share that is found."""
        return ratio(self.true_positives, self.positives)

    @property
    def precision(self) -> Counts:
        """TP / (TP + FP): of the called, the share that is positive."""
        return ratio(self.true_positives, self._where_any(self.true_positives + self.false_positives))

    @property
    def f1(self) -> Counts:
        """2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall."""
        twice = 2.0 * self.true_positives
        return ratio(twice, self._where_any(twice + self.false_positives + self.false_negatives))

    @property
    def mcc(self) -> Counts:
        """(TP·TN − FP·FN) / √((TP + FN)(TP + FP)(TN + FP)(TN + FN)): the correlation of called and positive."""
        tp, fp, fn, tn = self.true_positives, self.false_positives, self.false_negatives, self.true_negatives
        return ratio(tp * tn - fp * fn, np.sqrt((tp + fn) * (tp + fp)) * np.sqrt((tn + fp) * (tn + fn)))

    def at_prevalence(self, prevalence: float) -> Confusion:
        """The counts expected with as many negatives to a positive as this prevalence has, all else being equal."""
        scale = ratio(self.positives * (1.0 - prevalence), self.negatives * prevalence)
        return replace(self, false_positives=self.false_positives * scale, true_negatives=self.true_negatives * scale)

    def _where_any(self, denominator: Counts) -> Counts:
        """The denominator, and 0 where there is no positive atom."""
        return 1.0 * denominator * np.sign(self.positives)


def ratio(numerator: Counts, denominator: Counts) -> Counts:
    """The quotient, NaN where the denominator is zero.

    Examples
    --------
    >>> ratio(1.0, 2.0), ratio(1.0, 0.0)
    (0.5, nan)
    """
    bottom = np.asarray(denominator, dtype=np.float64)
    found = np.where(bottom == 0.0, np.nan, numerator / np.where(bottom == 0.0, 1.0, bottom))
    return found if found.ndim else float(found)


def refuse_shared_specimens(train: Iterable[str], test: Iterable[str]) -> None:
    """Refuse specimens that are in the training and in the test set: their scores would be too good.

    The loadings of one specimen are not independent of each other, so that specimens are shared out whole.

    Raises
    ------
    InputError
        A specimen is in both.

    Examples
    --------
    >>> refuse_shared_specimens(["a", "b"], ["c"])
    """
    shared = sorted(set(train) & set(test))
    if shared:
        named = ", ".join(shared[:3]) + (" …" if len(shared) > 3 else "")
        raise InputError(
            f"scoring on held-out specimens: {len(shared)} of them ({named}) were also trained on; "
            "split by specimen, its loadings together"
        )
