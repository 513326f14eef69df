"""Scorecards of models for rare events: six scores side by side, the prevalence with them, chance in the last row."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final

import numpy as np

from mechlearn.errors import InputError
from mechlearn.evaluation.classification import EventPredictions, refuse_shared_specimens
from mechlearn.evaluation.classification_localisation import Localisation
from mechlearn.evaluation.classification_ranking import ChanceRanking, SpecimenRanking
from mechlearn.evaluation.classification_runs import RunRankings
from mechlearn.evaluation.resampling import WeightStatistic, weighted_intervals
from mechlearn.evaluation.scorecard import Metric
from mechlearn.evaluation.tables import NO_NUMBER, html_table, significant, text_table

#: The scores of a model by key, as a person reads their names.
SCORE_NAMES: Final = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "mcc": "MCC",
    "auc": "AUC",
    "ap": "AP",
    "ap_lift": "AP / prevalence",
    "run_lift": "AP / prevalence by run",
    "localisation": "localisation",
}
#: Scores that are high at any prevalence, and those without which they are not shown.
_FLATTERING: Final = ("recall", "auc")
_HONEST: Final = ("precision", "ap", "ap_lift")

#: The name of the row that knows nothing.
CHANCE: Final = "chance"
UNDEFINED: Final = "undefined"


@dataclass(frozen=True, eq=False)
class ModelScores:
    """The scores of one model, by key.

    Attributes
    ----------
    name : str
        Of the model.
    scores : mapping of str to Metric
        Keys as in ``SCORE_NAMES``; NaN where a score is undefined.

    Raises
    ------
    InputError
        If recall or AUC would stand without precision, AP and its lift; or a key is not known.
    """

    name: str
    scores: Mapping[str, Metric]

    def __post_init__(self) -> None:
        unknown = [key for key in self.scores if key not in SCORE_NAMES]
        if unknown:
            raise InputError(f"scoring {self.name}: {unknown[0]!r} is no score; choose from {', '.join(SCORE_NAMES)}")
        shown = [SCORE_NAMES[key] for key in _FLATTERING if key in self.scores]
        missing = [SCORE_NAMES[key] for key in _HONEST if key not in self.scores]
        if shown and missing:
            raise InputError(
                f"scoring {self.name}: {' and '.join(shown)} alone would flatter; show {', '.join(missing)} beside"
            )

    def __getitem__(self, key: str) -> Metric:
        return self.scores[key]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: the name, and each score as value, low and high, null where there is none."""
        entries = {key: metric.to_dict() for key, metric in self.scores.items()}
        rows = {key: {end: entry[end] for end in ("value", "low", "high")} for key, entry in entries.items()}
        return {"name": self.name, **rows}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ModelScores:
        """The row that :meth:`to_dict` wrote."""
        kept = {key: stored[key] for key in SCORE_NAMES if key in stored}
        metrics = {
            key: Metric.from_dict({"name": SCORE_NAMES[key], "unit": "", "count": 0, **value})
            for key, value in kept.items()
        }
        return cls(stored["name"], metrics)


@dataclass(frozen=True, eq=False)
class RareEventScorecard:
    """What models of a rare event get right and wrong on the same held-out atoms.

    Attributes
    ----------
    title : str
        What was predicted, of what.
    models : tuple of ModelScores
        The last of them is chance.
    prevalence : float
        The share of positive atoms at which the scores hold.
    positives, atoms, runs, specimens : int
        What they rest on.
    notes : tuple of str
        What the numbers do not say by themselves.
    """

    title: str
    models: tuple[ModelScores, ...]
    prevalence: float
    positives: int
    atoms: int
    runs: int
    specimens: int
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> ModelScores:
        """The row of that name."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise KeyError(f"the scorecard '{self.title}' has no model '{name}'; it has {known}")

    def only(self, *keys: str) -> RareEventScorecard:
        """The same card with some of the scores.

        Raises
        ------
        InputError
            If recall or AUC would stand without precision, AP and its lift.
        """
        unknown = [key for key in keys if key not in SCORE_NAMES]
        if unknown:
            raise InputError(f"showing scores: {unknown[0]!r} is none; choose from {', '.join(SCORE_NAMES)}")
        rows = (
            ModelScores(row.name, {key: metric for key, metric in row.scores.items() if key in keys})
            for row in self.models
        )
        return replace(self, models=tuple(rows))

    @property
    def basis(self) -> str:
        """In words, what the scores rest on."""
        runs, specimens = (
            f"{number:,} {one}{'s' * (number != 1)}"
            for number, one in ((self.runs, "run"), (self.specimens, "specimen"))
        )
        return (
            f"prevalence {significant(self.prevalence)}: {self.positives:,} positive of {self.atoms:,} atoms, "
            f"{runs} of {specimens}"
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text: a score a row, a model a column, the prevalence first."""
        header = ["score", *(model.name for model in self.models)]
        rows = [["prevalence", *([significant(self.prevalence)] * len(self.models))]]
        for key, name in SCORE_NAMES.items():
            if any(key in model.scores for model in self.models):
                rows.append([name, *(_cell(model.scores.get(key)) for model in self.models)])
        return header, rows

    def __str__(self) -> str:
        parts = [self.title, self.basis, "", text_table(*self.table())]
        if self.notes:
            parts += ["", *(f"Note: {note}" for note in self.notes)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in (self.basis, *self.notes))
        return html_table(*self.table(), caption=self.title) + notes

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        numbers = {key: getattr(self, key) for key in ("positives", "atoms", "runs", "specimens")}
        rows = [model.to_dict() for model in self.models]
        return {
            "title": self.title,
            "prevalence": self.prevalence,
            **numbers,
            "models": rows,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> RareEventScorecard:
        """The scorecard that :meth:`to_dict` wrote."""
        numbers = {key: stored[key] for key in ("title", "prevalence", "positives", "atoms", "runs", "specimens")}
        rows = tuple(ModelScores.from_dict(row) for row in stored["models"])
        return cls(models=rows, notes=tuple(stored["notes"]), **numbers)


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: by drawing specimens again.

    Attributes
    ----------
    seed : int
        Every model is scored on the same draws.
    level : float
        Between 0 and 1.
    draws : int
        How many.
    """

    seed: int = 0
    level: float = 0.95
    draws: int = 1000

    def rng(self) -> np.random.Generator:
        """The generator, from its start."""
        return np.random.default_rng(self.seed)


DEFAULT_RESAMPLING: Final = Resampling()


def rare_event_scorecard(
    title: str,
    models: Mapping[str, EventPredictions],
    *,
    trained_on: Collection[str],
    localisations: Mapping[str, Localisation] | None = None,
    prevalence: float | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> RareEventScorecard:
    """Score models of a rare event on the same held-out runs, with chance in the last row.

    Parameters
    ----------
    title
        What was predicted, of what.
    models
        What each says of the same atoms.
    trained_on
        The specimens that any of the models has seen; empty for rankings that nothing was learnt for.
    localisations
        By model, where it was measured.
    prevalence
        The prevalence to score at, as though there were that share of positives and all else were equal: two studies
        compare at the same. That of the data by default.
    resampling
        How intervals are made.

    Raises
    ------
    InputError
        If there is no model, a specimen was trained on, models were given different atoms or truths, or the
        prevalence is not between 0 and 1.

    Examples
    --------
    >>> truth, places = np.array([True, False, False, False] * 3), np.array([0, 4, 8, 12])
    >>> says = EventPredictions(np.array([0.9, 0.8, 0.1, 0.2] * 3), truth, places, ("a", "b", "c"))
    >>> card = rare_event_scorecard("events", {"model": says}, trained_on=["d", "e"])
    >>> str(card["model"]["precision"]), str(card["model"]["ap_lift"]), str(card["chance"]["recall"])
    ('0.500 (0.500 to 0.500)', '4.00 (4.00 to 4.00)', '0.500 (0.500 to 0.500)')
    >>> card.only("auc")
    Traceback (most recent call last):
    mechlearn.errors.InputError: scoring model: AUC alone would flatter; show precision, AP, AP / prevalence beside
    """
    first = _common(models)
    refuse_shared_specimens(trained_on, first.specimens)
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(f"scoring at a matched prevalence: it is {prevalence}; give a number between 0 and 1")
    places = localisations or {}
    rows = []
    for name, predictions in models.items():
        statistics = SpecimenRanking.of(predictions, prevalence).statistics()
        if prevalence is None:
            statistics["run_lift"] = RunRankings.of(predictions).statistic()
        rows.append(ModelScores(name, _metrics(statistics, predictions, places.get(name), resampling)))
    chance = ChanceRanking(SpecimenRanking.of(first, prevalence)).statistics()
    if prevalence is None:
        chance["run_lift"] = RunRankings.of(first).statistic(blind=True)
    blind = next(iter(places.values()), None)
    rows.append(ModelScores(CHANCE, _metrics(chance, first, blind, resampling, blind=True)))
    return RareEventScorecard(
        title,
        tuple(rows),
        first.prevalence if prevalence is None else prevalence,
        int(first.positive.sum()),
        first.atoms,
        len(first.specimens),
        len(first.specimen_names),
        _notes(first, prevalence, blind, resampling.level),
    )


def _common(models: Mapping[str, EventPredictions]) -> EventPredictions:
    """The predictions of the first model, once all are known to be of the same atoms."""
    if not models:
        raise InputError("scoring models of rare events: there is none; give at least one")
    names, every = list(models), list(models.values())
    if CHANCE in names:
        raise InputError(f"scoring models of rare events: {CHANCE!r} is the name of the row of chance; give another")
    for name, other in zip(names[1:], every[1:], strict=True):
        same = other.specimens == every[0].specimens and np.array_equal(other.offsets, every[0].offsets)
        if not same or not np.array_equal(other.positive, every[0].positive):
            raise InputError(
                f"scoring models of rare events: {name} and {names[0]} were not given the same runs with the same "
                "truth; score both on the same"
            )
    return every[0]


def _metrics(
    statistics: Mapping[str, WeightStatistic],
    predictions: EventPredictions,
    place: Localisation | None,
    resampling: Resampling,
    *,
    blind: bool = False,
) -> dict[str, Metric]:
    """All scores of one row; the localisation too, NaN where it was not measured."""
    count = len(predictions.specimen_names)
    level, draws = resampling.level, resampling.draws
    intervals = weighted_intervals(statistics, count, resampling.rng(), level, draws)
    metrics = {
        key: Metric.from_interval(SCORE_NAMES[key], interval, "", predictions.atoms)
        for key, interval in intervals.items()
    }
    if place is not None:
        measure = place.chance_interval if blind else place.interval
        interval = measure(resampling.rng(), level, draws)
        metrics["localisation"] = Metric.from_interval("localisation", interval, "", len(place.hits))
    return metrics


def _cell(metric: Metric | None) -> str:
    """A score as a person reads it: undefined is said, not measured is a dash."""
    if metric is None:
        return NO_NUMBER
    return str(metric) if math.isfinite(metric.value) else UNDEFINED


def _notes(
    predictions: EventPredictions, prevalence: float | None, place: Localisation | None, level: float
) -> tuple[str, ...]:
    """What a reader must know."""
    count = len(predictions.specimen_names)
    notes = ["One specimen gives no interval."]
    if count > 1:
        notes = [f"{level:.0%} intervals from drawing the {count} specimens again, their loadings together."]
    if not predictions.positive.any():
        notes.append("No atom is positive: nothing can be found, and every score is undefined.")
    if prevalence is not None:
        own = significant(predictions.prevalence)
        notes.append(
            f"Scores are those expected at prevalence {significant(prevalence)}, that of the data being {own}: "
            "negatives count for more or less, the ranking stays."
        )
    if place is not None:
        near = f"{place.radius:g} {place.unit}"
        notes.append(f"Localisation: share of runs whose top-ranked atom is within {near} of the core.")
    if prevalence is None and len(predictions.specimens) > 1:
        notes.append(
            "AP ranks the atoms of all runs together, so that large events count most; by run each counts once."
        )
    notes.append("Chance: confidences drawn evenly between 0 and 1, half of them called positive.")
    return tuple(notes)
