"""Models of where glasses yield: fitted to first events, asked how sure they are of each atom, kept without pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.evaluation import (
    EventPredictions,
    RareEventScorecard,
    Resampling,
    rare_event_scorecard,
    refuse_shared_specimens,
)
from mechlearn.glasses.prediction.boosted_trees import BoostedTrees
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_fits import Score, attention_fit, fit_score
from mechlearn.glasses.prediction.event_settings import IMBALANCES, KINDS, SCALINGS, ModelSettings
from mechlearn.glasses.prediction.feature_scaling import FeatureScaling
from mechlearn.glasses.prediction.imbalance import refuse_one_class
from mechlearn.glasses.prediction.linear_scores import LinearScore
from mechlearn.learning import Epoch, load_arrays, save_arrays
from mechlearn.records import plain, read_json, write_json

__all__ = [
    "IMBALANCES",
    "KINDS",
    "SCALINGS",
    "EventModel",
    "ModelSettings",
    "fit_event_model",
    "load_event_model",
    "score_models",
]

_FORMAT: Final = 1
_WHAT: Final = "model of where glasses yield"
_MODEL, _WEIGHTS = "model.json", "weights.safetensors"


@dataclass(frozen=True, eq=False)
class EventModel:
    """What says of each atom of a glass how sure it is that the atom takes part in the first event of a loading.

    Attributes
    ----------
    settings : ModelSettings
        Kind, features, threshold.
    scaling : FeatureScaling
        Of the features.
    score : LinearScore or BoostedTrees or AttentionScore
        From scaled features to confidences.
    trained_on : tuple of str
        The specimens that were seen, those of validation too: on these it cannot be judged.
    seed : int
        Of all that was drawn.
    record : mapping
        What the fit was like: atoms, positive atoms, epochs or trees.
    """

    settings: ModelSettings
    scaling: FeatureScaling
    score: Score
    trained_on: tuple[str, ...]
    seed: int
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return self.settings.name

    def confidences(self, data: EventData) -> Float[np.ndarray, " atoms"]:
        """Of all atoms, graph after graph: between 0 and 1, positive being called from 0.5 on.

        Those of graph attention and boosting are probabilities of the classes as they counted in training; those of
        the SVM and of a ranking only put atoms in order.

        Raises
        ------
        InputError
            The data lack a feature, or one is not a number.
        """
        chosen = _with_features(data, self.settings)
        values = self.scaling.apply(chosen)
        if isinstance(self.score, LinearScore | BoostedTrees):
            return self.score.confidences(values)
        return self.score.confidences(values, chosen)

    def predictions(self, data: EventData, threshold: float | None = None) -> EventPredictions:
        """Its confidences beside what the atoms did.

        Parameters
        ----------
        data
            Of any specimens; scores are fair only for those not in ``trained_on``.
        threshold
            Of D²min, Å²; by default the one of training.
        """
        return data.predictions(self.confidences(data), self.settings.threshold if threshold is None else threshold)

    def save(self, folder: str | Path) -> Path:
        """Save in a folder, as ``model.json`` and ``weights.safetensors``.

        Raises
        ------
        WorkError
            The folder cannot be written to.
        """
        folder = Path(folder)
        arrays = {
            **{f"scaling/{name}": array for name, array in self.scaling.arrays().items()},
            **{f"score/{name}": array for name, array in self.score.arrays().items()},
        }
        weights = save_arrays(folder / _WEIGHTS, arrays)
        content = {
            "what": _WHAT,
            "format": _FORMAT,
            "settings": self.settings.to_dict(),
            "trained_on": list(self.trained_on),
            "seed": self.seed,
            "record": dict(self.record),
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        }
        write_json(folder / _MODEL, content)
        return folder

    def __repr__(self) -> str:
        return f"EventModel({self.name}, trained on {len(self.trained_on)} specimens)"


def load_event_model(folder: str | Path) -> EventModel:
    """Read what :meth:`EventModel.save` wrote; every number comes back bit for bit, and nothing is executed.

    Raises
    ------
    InputError
        A file is missing, cut short, of another model or another version.
    """
    folder = Path(folder)
    content = read_json(folder / _MODEL)
    if content.get("what") != _WHAT or content.get("format") != _FORMAT:
        raise InputError(
            f"reading {folder / _MODEL}: it holds no {_WHAT} of this version; give the folder that one was saved in"
        )
    arrays, _ = load_arrays(folder / _WEIGHTS)
    if hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest() != content.get("weights_sha256"):
        raise InputError(f"reading {folder}: {_WEIGHTS} is not the file that {_MODEL} was saved with; save it again")
    try:
        settings = ModelSettings.from_dict(content["settings"])
        scaling = FeatureScaling.from_arrays(_below("scaling/", arrays), settings.scaling or SCALINGS[settings.kind][0])
        score = _read_score(settings, scaling, _below("score/", arrays))
        trained_on, seed = tuple(content["trained_on"]), int(content["seed"])
        return EventModel(settings, scaling, score, trained_on, seed, content["record"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"reading {folder}: what it holds makes no model ({reason}); save it again") from error


def fit_event_model(
    settings: ModelSettings,
    train: EventData,
    validation: EventData | None = None,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> EventModel:
    """Fit a model of where glasses yield.

    Parameters
    ----------
    settings
        The model.
    train
        What it learns from.
    validation
        Other specimens, by which the best epoch of graph attention and the number of trees are chosen; without them
        the last tree, and the epoch of the lowest training loss.
    seed
        Of all that is drawn: the same model again.
    checkpoint
        A file in which the training of graph attention is kept, to go on from after an interruption.
    progress
        Called after every epoch of graph attention.

    Raises
    ------
    InputError
        A specimen is in both sets; no atom is positive, or all are; a feature is missing, or is not a number; a
        package is not installed.
    WorkError
        The fit does not converge.

    References
    ----------
    Lee and Ryu, Frontiers in Materials 9, 874339 (2022), for graph attention; Cubuk et al., Physical Review Letters
    114, 108001 (2015), for the support vector machine.

    Examples
    --------
    >>> from ase import Atoms
    >>> from mechlearn.glasses.prediction.event_data import EventGraph
    >>> from mechlearn.glasses.description.feature_table import Feature
    >>> from mechlearn.structures import StructureBatch
    >>> row = StructureBatch.from_atoms([Atoms("Cu4", [[0, 0, 3 * z] for z in range(4)], cell=[9, 9, 12], pbc=True)])
    >>> graph = EventGraph("a", "xy", row, np.array([[1.0], [2.0], [9.0], [3.0]]), np.zeros((2, 0), dtype=int),
    ...                    np.array([0.0, 0.0, 0.4, 0.0]), 2, 0.01)
    >>> data = EventData((Feature("softness", "S", "1", "here"),), [graph])
    >>> model = fit_event_model(ModelSettings("ranking", ("softness",)), data, seed=0)
    >>> model, int(model.confidences(data).argmax())
    (EventModel(ranking by softness, trained on 1 specimens), 2)
    """
    learnt, judged = _with_features(train, settings), None
    if validation is not None:
        refuse_shared_specimens(train.specimens, validation.specimens)
        judged = _with_features(validation, settings)
    positive = learnt.positive(settings.threshold)
    refuse_one_class(positive, settings.threshold)
    scaling = FeatureScaling.of(learnt.values, settings.scaling or SCALINGS[settings.kind][0])
    score, record = fit_score(settings, scaling, learnt, judged, seed, checkpoint, progress)
    seen = (*train.specimens, *(validation.specimens if validation is not None else ()))
    counts = {"atoms": len(positive), "positives": int(positive.sum()), "runs": len(train)}
    return EventModel(settings, scaling, score, seen, seed, plain({**counts, **record}))


def score_models(
    title: str,
    models: Mapping[str, EventModel],
    data: EventData,
    *,
    radius: float = 5.0,
    prevalence: float | None = None,
    resampling: Resampling | None = None,
) -> RareEventScorecard:
    """The scorecard of models on runs of specimens that none of them has seen, with how near their top atom is.

    Localisation is that of the runs in which an event came.

    Parameters
    ----------
    title
        What was predicted, of what.
    models
        By the name that a reader knows them by; all of one threshold of D²min.
    data
        The runs.
    radius
        A top-ranked atom no further from the event's trigger is a hit, Å.
    prevalence
        To score at (see :func:`~mechlearn.evaluation.rare_event_scorecard`).
    resampling
        How intervals are made.

    Raises
    ------
    InputError
        There is no model, a specimen was trained on, or the models were trained with different thresholds.
    """
    thresholds = {model.settings.threshold for model in models.values()}
    if len(thresholds) > 1:
        raise InputError(
            f"scoring models: they were trained with thresholds of {sorted(thresholds)} Å²; score each by itself"
        )
    trained_on = {specimen for model in models.values() for specimen in model.trained_on}
    refuse_shared_specimens(trained_on, data.specimens)
    predictions = {name: model.predictions(data) for name, model in models.items()}
    return rare_event_scorecard(
        title,
        predictions,
        trained_on=trained_on,
        localisations=data.localisations(predictions, radius),
        prevalence=prevalence,
        resampling=resampling or Resampling(),
    )


def _read_score(settings: ModelSettings, scaling: FeatureScaling, arrays: Mapping[str, np.ndarray]) -> Score:
    if settings.kind == "gat":
        score: Score = attention_fit().AttentionScore.from_arrays(arrays, settings, scaling.columns)
        return score
    if settings.kind == "boosting":
        trees = BoostedTrees.from_arrays(arrays)
        if trees.columns != scaling.columns:
            raise ValueError(f"trees of {trees.columns} columns for {scaling.columns}")
        return trees
    line = LinearScore.from_arrays(arrays)
    if line.weights.shape != (scaling.columns,):
        raise ValueError(f"weights of shape {line.weights.shape} for {scaling.columns} columns")
    return line


def _with_features(data: EventData, settings: ModelSettings) -> EventData:
    """The data with the features of a model, in its order."""
    missing = [name for name in settings.features if name not in data.names]
    if missing:
        raise InputError(
            f"{settings.name}: the data lack {', '.join(missing)}; they have {', '.join(data.names)}: compute the "
            "features that the model was made for"
        )
    return data.with_features(settings.features)


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
