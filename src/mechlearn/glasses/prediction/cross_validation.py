"""What a cross-validation found: scores of every candidate on every fold, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation.tables import NO_NUMBER, html_table, significant, text_table
from mechlearn.glasses.prediction.event_settings import ModelSettings

_NAMES = {"auc": "AUC", "ap": "AP", "ap_lift": "AP / prevalence", "mcc": "MCC"}


@dataclass(frozen=True)
class Fold:
    """Which specimens train a model, say when to stop, and test it; none does two of these.

    Raises
    ------
    InputError
        A specimen is in two sets, or no specimen trains or tests.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        every = (*self.train, *self.validation, *self.test)
        if len(set(every)) < len(every):
            twice = next(name for name in every if every.count(name) > 1)
            raise InputError(f"sharing out specimens: {twice} is in two sets of one fold; give each once")
        if not self.train or not self.test:
            raise InputError("sharing out specimens: a fold has none to train on or none to test; give at least one")


@dataclass(frozen=True)
class CandidateScores:
    """How one candidate did on each fold.

    Attributes
    ----------
    settings : ModelSettings
        The candidate.
    prevalence : tuple of float
        The share of positive atoms of each fold's test set.
    auc, ap, ap_lift, mcc : tuple of float
        Of each fold; NaN where a score is undefined, as all are where no atom is positive.
    """

    KEYS: ClassVar[tuple[str, ...]] = tuple(_NAMES)

    settings: ModelSettings
    prevalence: tuple[float, ...]
    auc: tuple[float, ...]
    ap: tuple[float, ...]
    ap_lift: tuple[float, ...]
    mcc: tuple[float, ...]

    @classmethod
    def from_records(cls, settings: ModelSettings, records: Sequence[Mapping[str, Any]]) -> CandidateScores:
        """The scores of a candidate from what each of its folds left; null is NaN."""
        columns = {key: tuple(_number(record[key]) for record in records) for key in ("prevalence", *cls.KEYS)}
        return cls(settings, **columns)

    def mean(self, key: str) -> float:
        """The mean of a score over the folds that define it; NaN where none does."""
        known = self._known(key)
        return float(np.mean(known)) if known else math.nan

    def deviation(self, key: str) -> float:
        """The standard deviation of a score over the folds, with one degree of freedom taken; NaN of a single one."""
        known = self._known(key)
        return float(np.std(known, ddof=1)) if len(known) > 1 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        columns = {key: [_number_or_none(value) for value in getattr(self, key)] for key in ("prevalence", *self.KEYS)}
        return {"settings": self.settings.to_dict(), **columns}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CandidateScores:
        """The scores that :meth:`to_dict` wrote."""
        columns = {key: tuple(map(_number, stored[key])) for key in ("prevalence", *cls.KEYS)}
        return cls(ModelSettings.from_dict(stored["settings"]), **columns)

    def _known(self, key: str) -> list[float]:
        if key not in self.KEYS:
            raise InputError(f"comparing models: {key!r} is no score here; choose from {', '.join(self.KEYS)}")
        return [value for value in getattr(self, key) if math.isfinite(value)]


@dataclass(frozen=True)
class CrossValidation:
    """How candidates did on the same folds.

    Attributes
    ----------
    candidates : tuple of CandidateScores
        In the order in which they were given.
    folds : tuple of Fold
        Specimens, by name.
    seed : int
        Of folds and training.
    """

    candidates: tuple[CandidateScores, ...]
    folds: tuple[Fold, ...]
    seed: int

    def best(self, key: str = "auc") -> CandidateScores:
        """The candidate of the highest mean score, the first of equals.

        Raises
        ------
        InputError
            There is no score of that name.
        WorkError
            The score is undefined for every candidate.
        """
        means = [candidate.mean(key) for candidate in self.candidates]
        if not np.isfinite(means).any():
            raise WorkError(
                f"comparing models: {_NAMES[key]} is undefined on every fold, no atom being positive there; give "
                "specimens with events"
            )
        return self.candidates[int(np.nanargmax(means))]

    @property
    def best_by_auc(self) -> CandidateScores:
        """As Lee and Ryu (2022) choose: the highest mean AUC."""
        return self.best("auc")

    @property
    def best_by_ap(self) -> CandidateScores:
        """The highest mean AP, which false alarms lower."""
        return self.best("ap")

    @property
    def names(self) -> tuple[str, ...]:
        """What the candidates are called; where several share a name, what they differ in is said."""
        plain = [candidate.settings.name for candidate in self.candidates]
        return tuple(
            name + self._difference(candidate, name) if plain.count(name) > 1 else name
            for candidate, name in zip(self.candidates, plain, strict=True)
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text, the highest AUC first."""
        best = {key: _best_or_none(self, key) for key in ("auc", "ap")}
        rows = []
        for name, candidate in zip(self.names, self.candidates, strict=True):
            marks = ", ".join(_NAMES[key] for key, one in best.items() if one is candidate)
            rows.append((candidate.mean("auc"), [name, *(_cell(candidate, key) for key in _NAMES), marks]))
        rows.sort(key=lambda row: -row[0] if math.isfinite(row[0]) else math.inf)
        return ["model", *_NAMES.values(), "best by"], [row for _, row in rows]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers do not say by themselves."""
        prevalences = [value for value in self.candidates[0].prevalence if math.isfinite(value)]
        shares = " to ".join(dict.fromkeys(significant(end) for end in (min(prevalences), max(prevalences))))
        specimens = sum(len(fold.test) for fold in self.folds)
        notes = [
            f"Mean ± standard deviation over {len(self.folds)} folds of {specimens} specimens, the loadings of a "
            f"specimen together; prevalence {shares}.",
        ]
        if len(self.candidates) > 1:
            notes.append(
                f"The best of {len(self.candidates)} looks better than it is: score it on specimens that none has seen."
            )
        return tuple(notes)

    def __str__(self) -> str:
        return "\n".join([text_table(*self.table()), "", *self.notes])

    def _repr_html_(self) -> str:
        return html_table(*self.table()) + "".join(f"<p>{note}</p>" for note in self.notes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "seed": self.seed,
            "folds": [{key: list(names) for key, names in asdict(fold).items()} for fold in self.folds],
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CrossValidation:
        """The comparison that :meth:`to_dict` wrote."""
        return cls(
            tuple(CandidateScores.from_dict(candidate) for candidate in stored["candidates"]),
            tuple(Fold(**{key: tuple(names) for key, names in fold.items()}) for fold in stored["folds"]),
            stored["seed"],
        )

    def _difference(self, candidate: CandidateScores, name: str) -> str:
        """The settings in which a candidate differs from others of its name."""
        own = candidate.settings.to_dict()
        others = [other.settings.to_dict() for other in self.candidates if other.settings.name == name]
        differing = [key for key in own if any(other[key] != own[key] for other in others)]
        return "".join(f", {key.replace('_', ' ')} {_words(own[key])}" for key in differing)


def _best_or_none(comparison: CrossValidation, key: str) -> CandidateScores | None:
    try:
        return comparison.best(key)
    except WorkError:
        return None


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(candidate: CandidateScores, key: str) -> str:
    mean, deviation = candidate.mean(key), candidate.deviation(key)
    if not math.isfinite(mean):
        return NO_NUMBER
    return significant(mean) + (f" ± {significant(deviation, 2)}" if math.isfinite(deviation) else "")


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
