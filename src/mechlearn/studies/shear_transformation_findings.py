"""What the study of shear transformations found: scores of every model on glasses that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from mechlearn.evaluation import (
    DetectionCurve,
    EventPredictions,
    Localisation,
    PrecisionRecall,
    RareEventScorecard,
    Resampling,
    SweepRow,
    detection_by_magnitude,
    precision_recall,
    rare_event_scorecard,
    relabelled,
    threshold_sweep,
)
from mechlearn.evaluation.classification_ranking import SpecimenRanking
from mechlearn.glasses.loading.shear_runs import ShearRun, ShearRuns
from mechlearn.glasses.prediction.cross_validation import CrossValidation
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_glasses import ShearedGlasses, Size
from mechlearn.studies.shear_transformation_models import Confidences, predictions_of

#: Bins of D²min in the probability plot, Å².
_MAGNITUDES: Final = np.geomspace(1e-3, 10.0, 13)

#: Of so many glasses the stresses are drawn.
_GLASSES_DRAWN: Final = 3


@dataclass(frozen=True, eq=False)
class SizeFindings:
    """What was found in glasses of one size.

    Attributes
    ----------
    atoms : int
        Of a glass, the mean.
    runs : sequence of dict
        What is known of every run (:attr:`mechlearn.glasses.loading.shear_runs.ShearRun.facts`).
    data : EventData
        The runs with an event.
    predictions : mapping of str to EventPredictions
        By model.
    localisations : mapping of str to Localisation
        By model.
    card, matched : RareEventScorecard
        The scores; and those at the prevalence that is matched.
    by_strain : sequence of (float, float, RareEventScorecard or None)
        From and to which strain of the event, and the scores there; None where no event came.
    precision : mapping of str to PrecisionRecall
        By model.
    curves : sequence of ShearRun
        All runs of a few glasses, with their stresses.
    """

    atoms: int
    runs: Sequence[Mapping[str, Any]]
    data: EventData
    predictions: Mapping[str, EventPredictions]
    localisations: Mapping[str, Localisation]
    card: RareEventScorecard
    matched: RareEventScorecard
    by_strain: Sequence[tuple[float, float, RareEventScorecard | None]]
    precision: Mapping[str, PrecisionRecall]
    curves: Sequence[ShearRun]

    @property
    def specimens(self) -> tuple[str, ...]:
        """The glasses, those without an event too."""
        return tuple(dict.fromkeys(run["specimen"] for run in self.runs))

    @property
    def strains(self) -> Float[np.ndarray, " runs"]:
        """Of the first events."""
        return np.array([graph.strain for graph in self.data.graphs])

    @property
    def without_event(self) -> list[Mapping[str, Any]]:
        """The runs in which none came."""
        return [run for run in self.runs if run["ended"] != "event"]

    @property
    def best(self) -> str:
        """The model with the highest AP."""
        models = [row for row in self.card.models if row.name in self.predictions]
        return max(models, key=lambda row: row["ap"].value).name


@dataclass(frozen=True)
class FeatureAlone:
    """How well one feature ranks the atoms by itself, in whichever sense is better.

    Attributes
    ----------
    name, symbol, unit, source : str
        Of the feature.
    high : bool
        Whether atoms with a high value are those that take part.
    auc, ap, ap_lift : float
        Of the ranking.
    """

    name: str
    symbol: str
    unit: str
    source: str
    high: bool
    auc: float
    ap: float
    ap_lift: float


@dataclass(frozen=True, eq=False)
class GlassFindings:
    """All that the report tells.

    Attributes
    ----------
    sizes : mapping of str to SizeFindings
        ``glasses``, and ``larger`` where there are some.
    sweep : mapping of str to rows
        By model, the scores at other thresholds of D²min.
    detection : mapping of str to DetectionCurve
        By model.
    features : sequence of FeatureAlone
        The best first.
    compared : mapping of str to CrossValidation
        What cross-validation found: ``selection`` and ``imbalance``.
    """

    sizes: Mapping[Size, SizeFindings]
    sweep: Mapping[str, tuple[SweepRow, ...]]
    detection: Mapping[str, DetectionCurve]
    features: Sequence[FeatureAlone]
    compared: Mapping[str, CrossValidation]

    @property
    def main(self) -> SizeFindings:
        """Of the glasses that models learn from."""
        return self.sizes["glasses"]

    @property
    def larger(self) -> SizeFindings | None:
        """Of larger ones."""
        return self.sizes.get("larger")

    @property
    def largest(self) -> SizeFindings:
        """Of the largest glasses there are."""
        return self.larger or self.main


def gather(
    config: ShearTransformationConfig,
    sheared: Mapping[Size, ShearedGlasses],
    data: Mapping[Size, EventData],
    confidences: Mapping[Size, Confidences],
    compared: Mapping[str, CrossValidation],
) -> GlassFindings:
    """Score everything.

    Parameters
    ----------
    config
        The settings.
    sheared, data
        The glasses, and their runs with an event.
    confidences
        Of all models, by those that never saw the glass.
    compared
        What cross-validation found.
    """
    resampling = Resampling(seed=config.seed)
    sizes = {
        size: size_findings(config, sheared[size].runs, events, confidences[size], resampling)
        for size, events in data.items()
    }
    main = sizes["glasses"]
    magnitudes = main.data.d2min
    first = config.models[0].name
    swept = dict.fromkeys([first, main.best])
    return GlassFindings(
        sizes=sizes,
        sweep={
            name: threshold_sweep(
                name,
                relabelled(main.predictions[name], magnitudes, sorted({*config.sweep, config.threshold})),
                trained_on=(),
                resampling=resampling,
            )
            for name in swept
        },
        detection={
            name: detection_by_magnitude(says, magnitudes, _MAGNITUDES, resampling)
            for name, says in main.predictions.items()
        },
        features=features_alone(main.data, config.threshold),
        compared=compared,
    )


def size_findings(
    config: ShearTransformationConfig,
    runs: ShearRuns,
    data: EventData,
    confidences: Confidences,
    resampling: Resampling,
) -> SizeFindings:
    """Score the models on the glasses of one size; no fit has seen the glasses that it is scored on."""
    predictions = predictions_of(config, data, confidences)
    # All runs here had an event.
    found = data.localisations(predictions, config.radius) or {}
    places = {name: replace(place, unit=config.units.length) for name, place in found.items()}
    atoms = round(float(np.mean([graph.structure.atoms for graph in data.graphs])))
    title = f"First events in glasses of {atoms:,} atoms that were not trained on"

    def card(of: Mapping[str, EventPredictions], where: Mapping[str, Localisation], told: str, **options: Any) -> Any:
        return rare_event_scorecard(
            title + told, of, trained_on=(), localisations=where, resampling=resampling, **options
        )

    strains = np.array([graph.strain for graph in data.graphs])
    by_strain: list[tuple[float, float, RareEventScorecard | None]] = []
    for low, high in strain_bins(config, strains):
        chosen = np.flatnonzero((strains >= low) & (strains < high))
        told = f", events between {100 * low:.3g}% and {100 * high:.3g}% strain"
        some = {name: says.select(chosen) for name, says in predictions.items()} if chosen.size else {}
        where = {name: place_of(place, chosen) for name, place in places.items()}
        by_strain.append((low, high, card(some, where, told) if some else None))
    return SizeFindings(
        atoms=atoms,
        runs=runs.facts(),
        data=data,
        predictions=predictions,
        localisations=places,
        card=card(predictions, places, ""),
        matched=card(predictions, places, ", at a matched prevalence", prevalence=config.matched_prevalence),
        by_strain=by_strain,
        precision={name: precision_recall(says) for name, says in predictions.items()},
        curves=[runs[place] for place in range(min(len(runs), _GLASSES_DRAWN * len(config.senses)))],
    )


def strain_bins(config: ShearTransformationConfig, strains: Float[np.ndarray, " runs"]) -> list[tuple[float, float]]:
    """Bins of the strain at which events came, from early to late ones."""
    last = float(strains.max()) * (1.0 + 1e-9)
    return list(pairwise([0.0, *(edge for edge in sorted(config.strain_edges) if edge < last), last]))


def place_of(found: Localisation, runs: Int[np.ndarray, " chosen"]) -> Localisation:
    """The localisation in some of the runs."""
    return replace(
        found,
        hits=found.hits[runs],
        chance=found.chance[runs],
        distances=found.distances[runs],
        specimens=tuple(found.specimens[run] for run in runs),
    )


def features_alone(data: EventData, threshold: float) -> list[FeatureAlone]:
    """How well each feature ranks the atoms by itself, the highest AP first; nothing is learnt but its sense."""
    found = []
    for column, feature in enumerate(data.features):
        values = data.values[:, column]
        senses = []
        for sign in (1.0, -1.0):
            says = data.predictions(sign * values, threshold)
            ranking = SpecimenRanking.of(says)
            once = np.ones((1, len(ranking.counts)))
            auc, ap = float(ranking.auc(once)[0]), float(ranking.average_precision(once)[0])
            senses.append((auc, ap, sign > 0))
        auc, ap, high = max(senses)
        lift = ap / says.prevalence
        found.append(FeatureAlone(feature.name, feature.symbol, feature.unit, feature.source, high, auc, ap, lift))
    return sorted(found, key=lambda row: -row.ap)
