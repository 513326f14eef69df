"""What each kind of model does to fit its scores: the plain ones look at an atom alone, graph attention around it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.errors import InputError, installation
from mechlearn.glasses.prediction.boosted_trees import BoostedTrees, fit_boosted_trees
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.glasses.prediction.feature_scaling import FeatureScaling
from mechlearn.glasses.prediction.imbalance import atom_weights, equal_runs, judging_weights
from mechlearn.glasses.prediction.linear_scores import LinearScore, call_share, fit_linear_machine
from mechlearn.learning import Epoch

if TYPE_CHECKING:
    from mechlearn.glasses.prediction.attention_fit import AttentionScore

#: From scaled features to confidences.
Score: TypeAlias = "LinearScore | BoostedTrees | AttentionScore"


def fit_score(
    settings: ModelSettings,
    scaling: FeatureScaling,
    learnt: EventData,
    judged: EventData | None,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> tuple[Score, dict[str, Any]]:
    """The scores of a kind, fitted, and what the fit was like.

    Parameters
    ----------
    settings
        The model.
    scaling
        Of the features.
    learnt, judged
        Training and validation, with the features of the model alone.
    seed
        Of all that is drawn.
    checkpoint, progress
        Of graph attention.
    """
    if settings.kind == "gat":
        return _fit_attention(settings, scaling, learnt, judged, seed, checkpoint, progress)
    return _fit_plain(settings, scaling, learnt, judged, seed)


def attention_fit() -> Any:
    """The module that needs torch and torch_geometric, once it is needed."""
    try:
        return import_module("mechlearn.glasses.prediction.attention_fit")
    except ModuleNotFoundError as error:
        raise InputError(
            f"learning with graph attention: {error.name} is not installed; {installation('graphs')}, or choose "
            "another kind of model"
        ) from error


def _weights(
    learnt: EventData, positive: Bool[np.ndarray, " atoms"], settings: ModelSettings, seed: int
) -> Float[np.ndarray, " atoms"]:
    """What each atom counts in training."""
    weights = atom_weights(positive, settings, np.random.default_rng([seed, 1]))
    return equal_runs(weights, positive, learnt.offsets) if settings.equal_runs else weights


def _judging(
    judged: EventData,
    truth: Bool[np.ndarray, " atoms"],
    positive: Bool[np.ndarray, " trained_atoms"],
    settings: ModelSettings,
) -> Float[np.ndarray, " atoms"]:
    """What each atom counts in validation."""
    weights = judging_weights(truth, positive, settings)
    return equal_runs(weights, truth, judged.offsets) if settings.equal_runs and truth.any() else weights


def _fit_plain(
    settings: ModelSettings,
    scaling: FeatureScaling,
    learnt: EventData,
    judged: EventData | None,
    seed: int,
) -> tuple[Score, dict[str, Any]]:
    """A model that looks at each atom by itself."""
    values, positive = scaling.apply(learnt), learnt.positive(settings.threshold)
    if settings.kind == "ranking":
        return call_share(values[:, 0], float(positive.mean())), {}
    weights = _weights(learnt, positive, settings, seed)
    if settings.kind == "svm":
        return fit_linear_machine(values, positive, weights, settings, seed), {}
    trees = fit_boosted_trees(values, positive, weights, settings, seed)
    if judged is not None:
        truth = judged.positive(settings.threshold)
        trees = trees.shortened(scaling.apply(judged), truth, _judging(judged, truth, positive, settings))
    return trees, {"trees": len(trees)}


def _fit_attention(
    settings: ModelSettings,
    scaling: FeatureScaling,
    learnt: EventData,
    judged: EventData | None,
    seed: int,
    checkpoint: Path | None,
    progress: Callable[[Epoch], None] | None,
) -> tuple[Score, dict[str, Any]]:
    """A model that looks at neighbours too."""
    attention = attention_fit()
    positive = learnt.positive(settings.threshold)
    weights = _weights(learnt, positive, settings, seed)
    validation = None
    if judged is not None:
        truth = judged.positive(settings.threshold)
        judging = _judging(judged, truth, positive, settings)
        validation = attention.Labelled(judged, scaling.apply(judged), truth, judging)
    network, history = attention.fit_graph_attention(
        attention.Labelled(learnt, scaling.apply(learnt), positive, weights),
        validation,
        settings,
        seed,
        odds=float(weights[positive].sum() / weights[~positive].sum()),
        checkpoint=checkpoint,
        progress=progress,
    )
    best = history.best
    record = {"epochs": len(history), "best_epoch": best.number, "training_loss": best.training}
    return attention.AttentionScore(network), {**record, "validation_loss": best.validation}
