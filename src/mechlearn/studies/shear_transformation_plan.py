"""What the study of shear transformations will cost: every kind of its work timed on one small glass, on one core."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mechlearn.glasses.description.feature_campaign import feature_runs
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearSettings
from mechlearn.glasses.loading.shear_campaign import shear_glasses
from mechlearn.glasses.loading.shear_runs import ShearRuns
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.prediction.event_models import fit_event_model
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.glasses.quench.glass_recipe import KOB_ANDERSEN, Liquid
from mechlearn.glasses.quench.preparation import prepare_glass
from mechlearn.structures import StructureBatch, read_structures
from mechlearn.studies.plan import Plan, StagePlan, core_seconds, one_thread, seconds
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_glasses import (
    SIZES,
    Size,
    given_glasses,
    recipe_of,
    shear_settings,
    specimens_of,
)
from mechlearn.studies.shear_transformation_models import candidate_sets, settings_of

#: Atoms of the glass that is timed, at most; costs go with the number of atoms, those of modes with its square.
_ATOMS: Final = 500
#: Its melt is so many times hotter than that of the settings, and kept for so long (τ of the mixture, ps), to be quick.
_HOTTER, _SHORT = 2.0, {True: (30.0, 60.0), False: (1.5, 3.0)}
#: Copies of its run from which models are timed, few and many, and epochs of networks.
_COPIES, _EPOCHS = (2, 8), (1, 3)
#: Left on disk, of an atom in a run and of a report.
_BYTES_OF_ATOM, _BYTES_OF_REPORT = 350.0, 8e6


@dataclass(frozen=True, eq=False)
class _Sample:
    """What was timed on one glass, s.

    Attributes
    ----------
    atoms : int
        Of the glass.
    fixed, step : float
        Of a preparation: an atom, and an atom and step of dynamics.
    run : float
        Shearing it in one sense.
    once, features : float
        What is found once a glass, and of every run.
    data : EventData
        What models are timed with.
    """

    atoms: int
    fixed: float
    step: float
    run: float
    once: float
    features: float
    data: EventData


def plan_study(config: ShearTransformationConfig, workers: int) -> Plan:
    """Prepare, shear and describe one small glass, fit every kind of model to it, and scale to all there is to do.

    Parameters
    ----------
    config
        The settings.
    workers
        How many work side by side.
    """
    start = time.perf_counter()
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        sample = _sample(config, Path(folder))
        counted = {size: _atoms_of(config, size) for size in SIZES if size == "glasses" or config.larger is not None}
        stages = [
            stage for size, (count, atoms) in counted.items() for stage in _of_size(config, sample, size, count, atoms)
        ]
        count, atoms = counted["glasses"]
        total = count * atoms * len(config.senses)
        stages += [*_fits(config, sample, total), *_comparisons(config, sample, total)]
    return Plan(tuple(stages), workers, time.perf_counter() - start)


def _atoms_of(config: ShearTransformationConfig, size: Size) -> tuple[int, int]:
    """How many glasses of one size, and of how many atoms."""
    if (path := given_glasses(config, size)) is not None:
        given = read_structures(Path(path))
        return len(given), round(given.atoms / len(given))
    return specimens_of(config, size), recipe_of(config, size).atoms


# ---------------------------------------------------------------------- a sample


def _sample(config: ShearTransformationConfig, folder: Path) -> _Sample:
    glass, fixed, step = _glass(config)
    settings, sense = shear_settings(config), config.senses[0]
    # Compiled before the clock runs.
    short = replace(settings, final_strain=settings.step)
    asked: dict[str, Any] = {"modes": config.modes, "structural": config.structural}
    pair = _shear(config, glass, folder / "pair", (sense, next(name for name in SENSES if name != sense)), short)
    feature_runs(pair, config.potential, folder / "warm-features", **asked)
    start = core_seconds()
    runs = _shear(config, glass, folder / "sheared", (sense,), settings)
    sheared = core_seconds() - start
    start = core_seconds()
    described = feature_runs(runs, config.potential, folder / "features", **asked)
    one = core_seconds() - start
    start = core_seconds()
    feature_runs(pair, config.potential, folder / "pair-features", **asked)
    features = max(core_seconds() - start - one, 0.1 * one)
    graph = described.load(runs).graphs[0]
    positive = graph.d2min if graph.trigger >= 0 else np.where(np.arange(glass.atoms) < 3, 1.0, 0.0)
    copies = [replace(graph, specimen=f"copy-{number}", d2min=positive, trigger=0) for number in range(_COPIES[-1])]
    return _Sample(
        glass.atoms, fixed, step, sheared, one - features, features, EventData(described.load(runs).features, copies)
    )


def _glass(config: ShearTransformationConfig) -> tuple[StructureBatch, float, float]:
    """A small glass, and the seconds that it took, an atom: whatever its dynamics, and for each of their steps."""
    if config.glasses is not None:
        return read_structures(Path(config.glasses)).without_labels().select([0]), 0.0, 0.0
    recipe = recipe_of(config, "glasses")
    hot = _HOTTER * recipe.liquid.temperature
    times = []
    for duration in _SHORT[config.potential == KOB_ANDERSEN]:
        pace = (hot - recipe.quench.temperature) / (0.5 * duration * recipe.model.seconds_per_time)
        quick = replace(
            recipe,
            atoms=min(recipe.atoms, _ATOMS),
            liquid=Liquid(hot, duration),
            quench=replace(recipe.quench, rate=pace, window=None),
        )
        start = core_seconds()
        glass = prepare_glass(quick, config.seed, 0).structure
        times.append((quick.steps, (core_seconds() - start) / quick.atoms))
    (few, short), (many, long) = times
    step = max(long - short, 0.1 * long) / (many - few)
    return glass, max(short - few * step, 0.0), step


def _shear(
    config: ShearTransformationConfig,
    glass: StructureBatch,
    out: Path,
    senses: tuple[str, ...],
    settings: ShearSettings,
) -> ShearRuns:
    return shear_glasses(
        glass, config.potential, out, senses={sense: SENSES[sense] for sense in senses}, settings=settings
    )


# ---------------------------------------------------------------------- stages


def _of_size(config: ShearTransformationConfig, sample: _Sample, size: Size, count: int, atoms: int) -> list[StagePlan]:
    """Preparing, shearing and describing the glasses of one size."""
    told, runs, share = f"{atoms:,} atoms", count * len(config.senses), atoms / sample.atoms
    stages = []
    if given_glasses(config, size) is None:
        steps = recipe_of(config, size).steps
        each = (sample.fixed + steps * sample.step) * atoms
        stages.append(
            StagePlan(
                f"quench, {told}",
                count,
                each * count,
                each,
                100.0 * atoms * count,
                f"{1e6 * sample.step:.1f} µs an atom and step, {steps:,} steps",
            )
        )
    from_what = f"one run of {sample.atoms:,} atoms"
    # The modes found once a glass grow in number with its atoms, and each with them.
    run, features = sample.run * share, sample.once * share**2 + sample.features * share * len(config.senses)
    stages += [
        StagePlan(f"shear, {told}", runs, run * runs, run, 60.0 * atoms * runs, f"{from_what}: {sample.run:.1f} s"),
        StagePlan(
            f"features, {told}",
            count,
            features * count,
            features,
            _BYTES_OF_ATOM * atoms * runs,
            f"a glass of {sample.atoms:,} atoms: {sample.once:.1f} s, and {sample.features:.2f} s a run",
        ),
    ]
    return stages


def _fits(config: ShearTransformationConfig, sample: _Sample, total: float) -> list[StagePlan]:
    """A stage a model."""
    stages = []
    for plan in config.models:
        if not plan.learns:
            continue
        atoms = total * (config.folds - 1) / config.folds
        each, told = _time_fit(settings_of(plan, config, sample.data.names), sample, atoms)
        size = 24.0 * total
        stages.append(StagePlan(f"fit: {plan.name}", config.folds, each * config.folds, each, size, told))
    return stages


def _comparisons(config: ShearTransformationConfig, sample: _Sample, total: float) -> list[StagePlan]:
    """Cross-validation: the first candidate of every kind is timed, networks go with layers × width × heads."""
    stages = []
    for name, candidates, folds in candidate_sets(config, sample.data.names):
        atoms = total * (config.folds - 1) / config.folds * (folds - 1) / folds
        timed: dict[str, tuple[float, float]] = {}
        each = []
        for candidate in candidates:
            size = float(candidate.layers * candidate.width * candidate.heads) if candidate.kind == "gat" else 1.0
            if candidate.kind not in timed:
                timed[candidate.kind] = _time_fit(candidate, sample, atoms)[0], size
            known, of_size = timed[candidate.kind]
            each.append(known * size / of_size)
        tasks = len(candidates) * folds
        told = f"one fit of {', '.join(timed)}"
        stages.append(StagePlan(name, tasks, sum(each) * folds, max(each), 2e3 * tasks, told))
    return stages


def _time_fit(settings: ModelSettings, sample: _Sample, total: float) -> tuple[float, str]:
    """Seconds that a fit to so many atoms takes: of networks by epochs, of others by two sizes of data."""
    few, many = (replace(sample.data, graphs=sample.data.graphs[:count]) for count in _COPIES)
    atoms = sample.atoms * np.array(_COPIES)

    def fit(chosen: ModelSettings, data: EventData) -> float:
        return seconds(lambda: fit_event_model(chosen, data, None, seed=0))

    if settings.kind == "gat":
        fit(replace(settings, epochs=1), few)  # loaded and compiled
        short, long = (fit(replace(settings, epochs=epochs), many) for epochs in _EPOCHS)
        epoch = max(long - short, 0.0) / (_EPOCHS[1] - _EPOCHS[0])
        return settings.epochs * epoch / atoms[1] * total, f"an epoch of {atoms[1]:,} atoms: {epoch:.2f} s"
    fit(settings, few)
    short, long = fit(settings, few), fit(settings, many)
    slope = max(long - short, 0.0) / (atoms[1] - atoms[0])
    return short + slope * (total - atoms[0]), f"{atoms[1]:,} atoms: {long:.2f} s"
