"""Which model of where glasses yield: specimens shared out whole, cross-validation, and confidences out of fold.

The loadings of one specimen are not independent of each other.  So specimens are what is drawn, left out and counted;
no model is ever scored on a specimen that it has seen under another loading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mechlearn.engines import executor, run_campaign
from mechlearn.engines.structure_sets import claimed
from mechlearn.errors import InputError
from mechlearn.evaluation import refuse_shared_specimens
from mechlearn.evaluation.classification_ranking import SpecimenRanking
from mechlearn.glasses.prediction.cross_validation import CandidateScores, CrossValidation, Fold
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_settings import IMBALANCES, ModelSettings
from mechlearn.glasses.prediction.event_storage import fingerprint, load_event_data, save_event_data
from mechlearn.records import read_json, write_json

#: Layers, width and heads of the grid search of Lee and Ryu (2022).
PAPER_GRID: Final[Mapping[str, tuple[int, ...]]] = {
    "layers": (2, 4, 6, 8, 10, 12),
    "width": (10, 15, 20, 25, 30, 35, 40),
    "heads": (6, 9, 12, 15),
}

_DOING: Final = "cross-validating models"

# ---------------------------------------------------------------------- candidates


def grid(base: ModelSettings, choices: Mapping[str, Sequence[Any]] = PAPER_GRID) -> tuple[ModelSettings, ...]:
    """Every combination of some settings, all else as in ``base``.

    Parameters
    ----------
    base
        What the candidates have in common.
    choices
        By the name of the setting; by default the 168 combinations of Lee and Ryu (2022).

    Raises
    ------
    InputError
        There is no setting of that name, or a value is out of range.

    Examples
    --------
    >>> base = ModelSettings("gat", ("Voronoi volume", "potential energy"))
    >>> len(grid(base)), [one.trees for one in grid(ModelSettings("boosting", base.features), {"trees": (50, 100)})]
    (168, [50, 100])
    """
    known = {field.name for field in fields(ModelSettings)}
    if unknown := [name for name in choices if name not in known]:
        raise InputError(
            f"a grid of models: no setting is called {unknown[0]!r}; choose from {', '.join(sorted(known))}"
        )
    return tuple(
        replace(base, **dict(zip(choices, values, strict=True))) for values in product(*map(tuple, choices.values()))
    )


def imbalance_treatments(base: ModelSettings) -> tuple[ModelSettings, ...]:
    """The model with every treatment of rare atoms that its kind can have: candidates like any others.

    Examples
    --------
    >>> [one.imbalance for one in imbalance_treatments(ModelSettings("svm", ("Voronoi volume",)))]
    ['weights', 'none', 'undersampling', 'oversampling']
    """
    return grid(base, {"imbalance": IMBALANCES[base.kind]})


# ---------------------------------------------------------------------- folds


def folds_by_specimen(specimens: Collection[str], folds: int, rng: np.random.Generator) -> list[Fold]:
    """Share specimens out at random so that each is tested once and validates once.

    The specimens go into so many parts of nearly equal size; fold k tests part k, validates on the next, and trains on
    all others.  Five folds give training, validation and test sets of 3 : 1 : 1, as in Lee and Ryu (2022).

    Parameters
    ----------
    specimens
        Their names; one that comes several times, once a loading, counts once, and the order is without effect.
    folds
        3 or more.
    rng
        Shuffles the specimens.

    Raises
    ------
    InputError
        There are fewer than three folds, or fewer specimens than folds.

    Examples
    --------
    >>> parts = folds_by_specimen(["a", "a", "b", "c", "d", "e"], 5, np.random.default_rng(0))
    >>> [len(part) for part in (parts[0].train, parts[0].validation, parts[0].test)]
    [3, 1, 1]
    >>> sorted(fold.test[0] for fold in parts)
    ['a', 'b', 'c', 'd', 'e']
    """
    different = sorted(set(specimens))
    if folds < 3:
        raise InputError(
            f"sharing out specimens: {folds} folds leave none to train on, since one part tests and one validates; "
            "give 3 or more"
        )
    if len(different) < folds:
        raise InputError(
            f"sharing out specimens: {len(different)} of them do not make {folds} folds, and the loadings of one "
            f"specimen cannot be torn apart; prepare {folds - len(different)} more, or give fewer folds"
        )
    order = rng.permutation(len(different))
    parts = [tuple(different[index] for index in sorted(part)) for part in np.array_split(order, folds)]
    shared = []
    for fold in range(folds):
        after = (fold + 1) % folds
        train = (name for part in range(folds) if part not in (fold, after) for name in parts[part])
        shared.append(Fold(tuple(sorted(train)), parts[after], parts[fold]))
    return shared


@runtime_checkable
class Trained(Protocol):
    """A trained model: what it saw, and how sure it is of each atom."""

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The specimens that it learnt from."""
        ...

    def confidences(self, data: EventData) -> Float[np.ndarray, " atoms"]:
        """Of all atoms, graph after graph."""
        ...


def held_out_confidences(
    models_by_fold: Sequence[Trained], data: EventData, folds: Sequence[Fold]
) -> Float[np.ndarray, " atoms"]:
    """How sure models are of each atom, every specimen predicted by the one model that never saw it.

    Confidences of different models stand side by side; they rank atoms of one run against each other, and atoms of
    different runs as far as the models agree on what a confidence means.

    Parameters
    ----------
    models_by_fold
        One a fold.
    data
        Any graphs of the specimens of the folds.
    folds
        As :func:`folds_by_specimen` gives them.

    Returns
    -------
    (atoms,)
        Of all atoms, graph after graph.

    Raises
    ------
    InputError
        There is not one model a fold, a specimen is not tested exactly once, or its model has seen it, be it only to
        choose when to stop.
    """
    if len(models_by_fold) != len(folds):
        raise InputError(
            f"predicting out of fold: {len(models_by_fold)} models for {len(folds)} folds; give one a fold"
        )
    tested = [name for fold in folds for name in fold.test]
    for specimen in data.specimens:
        if tested.count(specimen) != 1:
            raise InputError(
                f"predicting out of fold: {specimen} is tested by {tested.count(specimen)} of the folds; give folds "
                "that test each specimen once"
            )
    parts = []
    for model, fold in zip(models_by_fold, folds, strict=True):
        refuse_shared_specimens((*model.trained_on, *fold.validation), fold.test)
        here = set(fold.test) & set(data.specimens)
        parts.append(model.confidences(data.of_specimens(fold.test)) if here else np.empty(0))
    return gathered(data, folds, parts)


def gathered(
    data: EventData, folds: Sequence[Fold], parts: Sequence[Float[np.ndarray, " _"]]
) -> Float[np.ndarray, " atoms"]:
    """Confidences of the test specimens of each fold, put in the order of all graphs.

    Parameters
    ----------
    data
        Graphs of the specimens of the folds.
    folds
        Each specimen is tested by one.
    parts
        Of each fold, its graphs in the order of the data.
    """
    together = np.full(len(data.d2min), np.nan)
    owner = np.repeat([graph.specimen for graph in data.graphs], np.diff(data.offsets))
    for fold, part in zip(folds, parts, strict=True):
        together[np.isin(owner, fold.test)] = part
    return together


# ---------------------------------------------------------------------- cross-validation


def cross_validate(
    data: EventData,
    candidates: Sequence[ModelSettings],
    folder: str | Path,
    *,
    folds: int = 4,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    pool: Executor | None = None,
) -> CrossValidation:
    """Train every candidate on every fold and score it on the specimens left out, going on where it stopped.

    All candidates see the same folds and the same seed.  The scores of a candidate on a fold are one JSON file, named
    by its settings: more candidates of the same data may go into the same folder, and what is there is not done again.
    A training that was interrupted goes on from its checkpoint.

    Parameters
    ----------
    data
        Graphs of at least as many specimens as there are folds.  Specimens for the last word on the chosen model are
        to be left out of them: the best of many scores is better than the model.
    candidates
        What to compare: a :func:`grid`, :func:`imbalance_treatments`, kinds of models, sets of features.
    folder
        For the scores; new, empty, or of the same data, folds and seed.
    folds
        How many (Lee and Ryu take four); of four parts two train, one says when to stop, one is scored.
    seed
        Of the folds and of the training.
    workers, scheduler, pool
        As in :func:`mechlearn.engines.make_set`.

    Raises
    ------
    InputError
        There is no candidate, one comes twice, they differ in the threshold, a feature is not in the data, there are
        too few specimens, or the folder holds something else.
    WorkError
        A training failed.
    """
    _check_candidates(data, candidates)
    parts = folds_by_specimen(data.specimens, folds, np.random.default_rng(seed))
    out = Path(folder)
    learnt = fingerprint(data)
    recipe = {"kind": "cross-validation", "data": learnt, "folds": folds, "seed": seed}
    with claimed(out, recipe, _DOING):
        # The folder in full: a worker on another machine works in another one.
        task = _Fit(tuple(candidates), tuple(parts), seed, str(out.resolve()), data)
        tasks = range(len(candidates) * folds)
        if not all(task.path(index).exists() for index in tasks):
            here = pool is None and scheduler is None and workers == 1
            shared = None if here else out.resolve() / f".data-{learnt[:12]}.safetensors"
            _fit_all(task, tasks, shared, executor(workers, scheduler) if pool is None else nullcontext(pool))
        rows = []
        for place, candidate in enumerate(candidates):
            own = range(place * folds, (place + 1) * folds)
            rows.append(CandidateScores.from_records(candidate, [read_json(task.path(index)) for index in own]))
    return CrossValidation(tuple(rows), tuple(parts), seed)


def _check_candidates(data: EventData, candidates: Sequence[ModelSettings]) -> None:
    if not candidates:
        raise InputError(f"{_DOING}: there is no candidate; give at least one")
    keys = [_key(candidate) for candidate in candidates]
    for candidate, key in zip(candidates, keys, strict=True):
        if keys.count(key) > 1:
            raise InputError(f"{_DOING}: {candidate.name} comes {keys.count(key)} times; give each candidate once")
        if unknown := [name for name in candidate.features if name not in data.names]:
            raise InputError(f"{_DOING}: no feature is called {unknown[0]!r}; there are {', '.join(data.names)}")
    if len(thresholds := {candidate.threshold for candidate in candidates}) > 1:
        raise InputError(
            f"{_DOING}: they take atoms as positive above {sorted(thresholds)} Å², and scores at different prevalences "
            "do not compare; give all one threshold"
        )


def _key(settings: ModelSettings) -> str:
    """What the files of a candidate are called: a new title makes no new model."""
    stored = {name: value for name, value in settings.to_dict().items() if name != "title"}
    digest = hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
    return f"{settings.kind}-{digest[:12]}"


def _fit_all(task: _Fit, tasks: range, shared: Path | None, opening: AbstractContextManager[Executor]) -> None:
    """Run what is not done; other processes read the data from a file, which goes when all have."""
    try:
        if shared is not None:
            save_event_data(task.learnable(), shared)
            task = replace(task, data=shared)
        with opening as opened:
            run_campaign(task, tasks, opened, done=lambda index: task.path(index).exists(), label=_DOING)
    finally:
        if shared is not None:
            shared.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class _Fit:
    """Train one candidate on one fold, score it, and keep the scores."""

    candidates: tuple[ModelSettings, ...]
    folds: tuple[Fold, ...]
    seed: int
    folder: str
    data: EventData | Path

    def path(self, index: int) -> Path:
        """Where the scores of this task are."""
        place, fold = divmod(index, len(self.folds))
        return Path(self.folder) / f"{_key(self.candidates[place])}-fold-{fold}.json"

    def learnable(self) -> EventData:
        """The data, read from their file once a process."""
        return _read(self.data) if isinstance(self.data, Path) else self.data

    def __call__(self, index: int) -> int:
        from mechlearn.glasses.prediction.event_models import fit_event_model

        place, number = divmod(index, len(self.folds))
        settings, fold, path = self.candidates[place], self.folds[number], self.path(index)
        data = self.learnable()
        train, validation, test = map(data.of_specimens, (fold.train, fold.validation, fold.test))
        checkpoint = path.with_name(f".{path.stem}.safetensors")
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        model = fit_event_model(settings, train, validation, seed=seed, checkpoint=checkpoint)
        refuse_shared_specimens((*model.trained_on, *fold.validation), fold.test)
        predictions = model.predictions(test)
        scores = SpecimenRanking.of(predictions).statistics()
        once = np.ones((1, len(predictions.specimen_names)))
        found = {key: float(scores[key](once)[0]) for key in CandidateScores.KEYS}
        record = {"settings": settings.to_dict(), "fold": number, "prevalence": predictions.prevalence, **found}
        write_json(path, record)
        checkpoint.unlink(missing_ok=True)
        return index


@lru_cache(maxsize=1)
def _read(path: Path) -> EventData:
    return load_event_data(path)
