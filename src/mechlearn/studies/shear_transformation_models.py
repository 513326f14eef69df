"""Fitting the models of the study fold by fold, and what they say of glasses that they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float

from mechlearn.engines import run_campaign
from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation import EventPredictions, refuse_shared_specimens
from mechlearn.glasses.description.feature_folder import (
    FEATURE_GROUPS,
    INTERSTICE_FEATURES,
    MECHANISM_FEATURES,
    feature_group,
    paper_features,
)
from mechlearn.glasses.prediction.cross_validation import CrossValidation, Fold
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_models import fit_event_model
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.glasses.prediction.model_selection import (
    cross_validate,
    folds_by_specimen,
    gathered,
    grid,
    imbalance_treatments,
)
from mechlearn.glasses.quench.glass_recipe import percentages
from mechlearn.learning import load_arrays, save_arrays
from mechlearn.studies.configuration import suggestion
from mechlearn.studies.context import StudyContext
from mechlearn.studies.plan import one_thread
from mechlearn.studies.shear_transformation_config import ModelPlan, ShearTransformationConfig
from mechlearn.studies.shear_transformation_glasses import ShearedGlasses, Size

#: Confidences of all atoms of one size by the name of a model.
Confidences = Mapping[str, Float[np.ndarray, " atoms"]]


def check_models(config: ShearTransformationConfig) -> None:
    """Refuse models that cannot be told apart, or that ask for what there is not.

    Raises
    ------
    InputError
        Two models have one name, a group of features or a single one is not known, or a treatment does not fit.
    """
    names = [plan.name for plan in config.models]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"study shear_transformation: two models are called {twice[0]!r}; leave one out")
    own = paper_features(tuple(percentages(config.preparation.composition)))
    # The symmetry functions stand here for all of theirs, whose names hang on the elements.
    known = (*own, *MECHANISM_FEATURES, *INTERSTICE_FEATURES, "symmetry functions")
    for plan in config.models:
        if plan.learns:
            settings_of(plan, config, known)
        elif plan.features not in known and config.glasses is None:
            raise InputError(
                f"study shear_transformation: no feature is called {plan.features!r}; "
                f"{suggestion(plan.features, known)}"
            )
    candidate_sets(config, known)


#: One to train on, one to validate, one to test.
_FEWEST_FOLDS: Final = 3


@dataclass(frozen=True)
class FitTask:
    """One model trained without one fold.

    Attributes
    ----------
    number : int
        Of the model among all.
    plan : ModelPlan
    fold : int
    """

    number: int
    plan: ModelPlan
    fold: int

    @property
    def key(self) -> str:
        """Its name in files."""
        return f"{self.number}-{self.plan.key}-fold-{self.fold}".replace(" ", "-")


def fit_tasks(config: ShearTransformationConfig) -> list[FitTask]:
    """All fits of the study, the costliest first, so that no worker is left alone with them at the end."""
    tasks = [
        FitTask(number, plan, fold)
        for number, plan in enumerate(config.models)
        if plan.learns
        for fold in range(config.folds)
    ]
    return sorted(tasks, key=lambda task: (task.plan.kind != "gat", task.plan.kind != "boosting", task.number))


def folds_of(config: ShearTransformationConfig, data: EventData) -> tuple[Fold, ...]:
    """Specimens of training, validation and test of every fold; each specimen is tested once.

    Raises
    ------
    WorkError
        There are fewer specimens with an event than folds.
    """
    if len(data.specimens) < config.folds:
        raise WorkError(
            f"study shear_transformation: an event came in {len(data.specimens)} glasses, too few for {config.folds} "
            f"folds; shear further than {config.final_strain:g} (final_strain), or give more glasses"
        )
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(41,)))
    return tuple(folds_by_specimen(data.specimens, config.folds, rng))


def settings_of(plan: ModelPlan, config: ShearTransformationConfig, names: Sequence[str]) -> ModelSettings:
    """A model of the study as the library takes it.

    Parameters
    ----------
    plan
        The model.
    config
        The settings of the study.
    names
        Of all features there are.
    """
    if plan.kind == "ranking":
        raise InputError(f"study shear_transformation: {plan.name} has no settings, as it learns nothing")
    own = {
        "gat": ("layers", "width", "heads", "epochs", "learning_rate", "patience", "stop_after", "residual"),
        "boosting": ("trees",),
        "svm": (),
    }[plan.kind]
    return ModelSettings(
        kind=plan.kind,
        features=features_of(plan.features, names),
        threshold=config.threshold,
        imbalance=plan.imbalance,
        equal_runs=plan.equal_runs,
        title=plan.name,
        **{name: getattr(plan, name) for name in own},
    )


def features_of(group: str, names: Sequence[str]) -> tuple[str, ...]:
    """The features of a group, in the order in which they come.

    Raises
    ------
    InputError
        There is no such group.

    Examples
    --------
    >>> features_of("paper", ["Voronoi volume", "D²min of u"])
    ('Voronoi volume',)
    """
    chosen = {of: [name for name in names if feature_group(name) == of] for of in FEATURE_GROUPS}
    chosen["all"] = chosen["paper"] + chosen["mechanism"]
    if group not in chosen:
        raise InputError(f"study shear_transformation: a model has the features {group!r}; give {', '.join(chosen)}")
    return tuple(chosen[group])


# ---------------------------------------------------------------------- fits


def fit_models(
    config: ShearTransformationConfig, context: StudyContext, sheared: Mapping[Size, ShearedGlasses]
) -> None:
    """Fit what is not fitted yet, and keep what it says of the glasses that it never saw."""
    tasks = fit_tasks(config)
    files = [_file(context.data, task) for task in tasks]
    folders = [context.models / task.key for task in tasks]
    if all(file.exists() and folder.exists() for file, folder in zip(files, folders, strict=True)):
        return
    with context.executor() as pool:
        run_campaign(
            partial(fit_one, config, sheared, str(context.data), str(context.models)),
            range(len(tasks)),
            pool,
            done=lambda index: files[index].exists() and folders[index].exists(),
            label=f"fitting {len(tasks)} models",
        )


def fit_one(
    config: ShearTransformationConfig, sheared: Mapping[Size, ShearedGlasses], data: str, models: str, index: int
) -> str:
    """Fit one model without one fold, with one thread, and write down what it says of that fold."""
    task = fit_tasks(config)[index]
    with one_thread():
        loaded = sheared["glasses"].load()
        fold = folds_of(config, loaded)[task.fold]
        folder = Path(models) / task.key
        model = fit_event_model(
            settings_of(task.plan, config, loaded.names),
            loaded.of_specimens(fold.train),
            loaded.of_specimens(fold.validation),
            seed=_seed(config, task),
            checkpoint=Path(models) / f"{task.key}-checkpoint",
        )
        refuse_shared_specimens(model.trained_on, fold.test)
        said = {"glasses": model.confidences(loaded.of_specimens(fold.test))}
        if "larger" in sheared:
            larger = sheared["larger"].load()
            refuse_shared_specimens(model.trained_on, larger.specimens)
            said["larger"] = model.confidences(larger)
        model.save(folder)
        save_arrays(
            _file(Path(data), task),
            {size: np.asarray(values, dtype=np.float64) for size, values in said.items()},
            {"trained_on": list(model.trained_on), "tested_on": list(fold.test)},
        )
    return task.key


def held_out(
    config: ShearTransformationConfig, context: StudyContext, data: Mapping[Size, EventData]
) -> dict[Size, Confidences]:
    """What every model says of all glasses: of each by the fit that never saw it, of larger ones the mean of all fits.

    A ranking by one feature says the feature itself.
    """
    said: dict[Size, dict[str, Float[np.ndarray, " atoms"]]] = {size: {} for size in data}
    folds = folds_of(config, data["glasses"])
    for number, plan in enumerate(config.models):
        if not plan.learns:
            for size, events in data.items():
                said[size][plan.name] = events.with_features([plan.features]).values[:, 0]
            continue
        arrays = []
        for place, fold in enumerate(folds):
            found, about = load_arrays(_file(context.data, FitTask(number, plan, place)))
            if set(about["tested_on"]) != set(fold.test):
                raise InputError(
                    f"reading {_file(context.data, FitTask(number, plan, place))}: it is of other glasses; "
                    "remove the folder and run the study again"
                )
            refuse_shared_specimens(about["trained_on"], fold.test)
            arrays.append(found)
        said["glasses"][plan.name] = gathered(data["glasses"], folds, [found["glasses"] for found in arrays])
        if "larger" in data:
            said["larger"][plan.name] = np.mean([found["larger"] for found in arrays], axis=0)
    return dict(said)


def predictions_of(
    config: ShearTransformationConfig, data: EventData, confidences: Confidences
) -> dict[str, EventPredictions]:
    """Confidences beside the truth; a ranking calls a set share of all atoms, a model what it is surer of than not."""
    learns = {plan.name: plan.learns for plan in config.models}
    return {
        name: data.predictions(
            values, config.threshold, 0.5 if learns[name] else float(np.quantile(values, 1.0 - config.called_share))
        )
        for name, values in confidences.items()
    }


def _file(data: Path, task: FitTask) -> Path:
    return data / "predictions" / f"{task.key}.safetensors"


def _seed(config: ShearTransformationConfig, task: FitTask) -> int:
    sequence = np.random.SeedSequence(config.seed, spawn_key=(43, task.number, task.fold))
    return int(sequence.generate_state(1)[0])


# ---------------------------------------------------------------------- selection


def compare_settings(
    config: ShearTransformationConfig, context: StudyContext, data: EventData
) -> dict[str, CrossValidation]:
    """The grid of networks and the treatments of imbalance, each by cross-validation within the first fold's training.

    What is found is reported, and chooses none of the models that are scored.
    """
    fold = folds_of(config, data)[0]
    inside = data.of_specimens([*fold.train, *fold.validation])
    found: dict[str, CrossValidation] = {}
    if len(inside.specimens) < _FEWEST_FOLDS:
        context.log("no cross-validation: an event came in too few of the glasses")
        return found
    for name, candidates, folds in candidate_sets(config, data.names):
        found[name] = cross_validate(
            inside,
            candidates,
            context.data / name,
            folds=min(folds, len(inside.specimens)),
            seed=config.seed,
            workers=context.workers,
            scheduler=context.scheduler,
            pool=context.pool,
        )
    return found


def candidate_sets(
    config: ShearTransformationConfig, names: Sequence[str]
) -> list[tuple[str, tuple[ModelSettings, ...], int]]:
    """What is compared by cross-validation: its name, the settings, and the folds."""
    sets = []
    if config.selection is not None:
        plan = ModelPlan(kind="gat", features="paper", epochs=config.selection.epochs)
        choices = {name: getattr(config.selection, name) for name in ("layers", "width", "heads")}
        base = settings_of(plan, config, names)
        sets.append(("selection", tuple(grid(base, choices)), config.selection.folds))
    if config.imbalance is not None:
        bases = [settings_of(plan, config, names) for plan in config.imbalance.models]
        treated = tuple(one for base in bases for one in imbalance_treatments(base))
        sets.append(("imbalance", treated, config.imbalance.folds))
    return sets
