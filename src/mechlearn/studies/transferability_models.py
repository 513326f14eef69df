"""Fitting every model on each set, and measuring it on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from mechlearn.descriptors import Bispectrum
from mechlearn.engines import run_campaign
from mechlearn.evaluation import (
    GroupHoldout,
    Scorecard,
    TransferMatrix,
    group_holdout,
    regression_scorecard,
)
from mechlearn.interactions import Potential
from mechlearn.learning import TrainingSettings
from mechlearn.potentials import (
    FitWeights,
    NveProtocol,
    SnapRows,
    fit_network,
    fit_snap,
    load_potential,
    nve_deviation,
    save_potential,
    snap_rows,
    solve_snap,
    write_lammps,
)
from mechlearn.structures import Split, StructureBatch, StructureSet, split_random
from mechlearn.studies.context import StudyContext
from mechlearn.studies.transferability_config import SETS, ModelPlan, TransferabilityConfig


@dataclass(frozen=True)
class FitTask:
    """One model on one set."""

    plan: ModelPlan
    trained_on: str

    @property
    def key(self) -> str:
        """Its folder's name."""
        return f"{self.plan.key}-on-{self.trained_on}"


def fit_tasks(config: TransferabilityConfig) -> list[FitTask]:
    """All fits of the study, the costliest first, so that no worker is left alone with them at the end."""
    tasks = [FitTask(plan, name) for plan in config.models for name in SETS]
    return sorted(tasks, key=_cost, reverse=True)


def _cost(task: FitTask) -> tuple[bool, bool, str, int]:
    plan = task.plan
    return plan.is_network, plan.forces, plan.family[::-1], plan.twojmax


def split_of(name: str, structures: int, seed: int) -> Split:
    """The paper's 70/10/20 of a set; the same wherever it is asked for."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(21, SETS.index(name))))
    return split_random(structures, rng=rng)


def fit_models(config: TransferabilityConfig, context: StudyContext) -> None:
    """Fit what is not fitted yet."""
    tasks = fit_tasks(config)
    folders = [context.models / task.key for task in tasks]
    if all((folder / "model.json").exists() for folder in folders):
        return
    with context.executor() as pool:
        run_campaign(
            partial(fit_one, config, str(context.data), str(context.models), context.seed),
            range(len(tasks)),
            pool,
            done=lambda index: (folders[index] / "model.json").exists(),
            label=f"fitting {len(tasks)} models",
        )


def fit_one(config: TransferabilityConfig, data: str, models: str, seed: int, index: int) -> str:
    """Fit one model, save it, and write its LAMMPS files."""
    task = fit_tasks(config)[index]
    batch = StructureSet.open(Path(data) / task.trained_on).load()
    split = split_of(task.trained_on, len(batch), seed)
    descriptor = Bispectrum((config.element,), cutoff=config.cutoff, twojmax=task.plan.twojmax)
    folder = Path(models) / task.key
    # One thread each: the last bits of a sum depend on how many share it, and results must not depend on workers.
    with threadpool_limits(1):
        potential = _fitted(config, task.plan, descriptor, batch, split, seed, folder)
    save_potential(potential, folder)
    if not task.plan.is_network:
        write_lammps(potential, folder / "lammps", config.element)
    return task.key


def _fitted(
    config: TransferabilityConfig,
    plan: ModelPlan,
    descriptor: Bispectrum,
    batch: StructureBatch,
    split: Split,
    seed: int,
    folder: Path,
) -> Any:
    train = batch.select(split.train)
    if not plan.is_network:
        weights = FitWeights(config.energy_weight, config.force_weight if plan.forces else 0.0)
        return fit_snap(train, descriptor, quadratic=plan.family == "quadratic", weights=weights).potential
    settings = TrainingSettings(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        patience=config.patience,
        precision=config.precision,
    )
    folder.mkdir(parents=True, exist_ok=True)
    potential, _ = fit_network(
        train,
        batch.select(split.validation),
        descriptor,
        plan.family,
        settings,
        energy_weight=config.energy_weight,
        force_weight=config.force_weight if plan.forces else 0.0,
        seed=seed,
        checkpoint=folder / "checkpoint.safetensors",
    )
    return potential


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one plan's two models.

    Attributes
    ----------
    plan : ModelPlan
        The kind of model.
    parameters : int
        N_DoF.
    scorecards : mapping
        (trained on, tested on) → scorecard on the held-out structures.
    transfer : TransferMatrix
        Energy errors.
    """

    plan: ModelPlan
    parameters: int
    scorecards: dict[tuple[str, str], Scorecard]
    transfer: TransferMatrix


def measure_models(config: TransferabilityConfig, context: StudyContext) -> list[Measured]:
    """Score every model on the held-out structures of both sets."""
    kept = context.stages(
        [f"score-{plan.key}" for plan in config.models],
        partial(score_one, config, context.alone()),
        "scoring models",
    )
    return [
        Measured(
            plan,
            stored["parameters"],
            {
                (row["trained_on"], row["tested_on"]): Scorecard.from_dict(row["scorecard"])
                for row in stored["scorecards"]
            },
            TransferMatrix.from_dict(stored["transfer"]),
        )
        for plan, stored in zip(config.models, kept, strict=True)
    ]


def score_one(config: TransferabilityConfig, context: StudyContext, index: int) -> dict[str, Any]:
    """Scorecards of one plan's two models on the held-out structures of both sets."""
    sets = {name: StructureSet.open(context.data / name).load() for name in SETS}
    tests = {name: batch.select(split_of(name, len(batch), context.seed).test) for name, batch in sets.items()}
    with threadpool_limits(1):
        return _score(config.models[index], context, tests)


def _score(plan: ModelPlan, context: StudyContext, tests: Mapping[str, StructureBatch]) -> dict[str, Any]:
    scorecards, errors = [], {}
    parameters = 0
    for trained_on in SETS:
        potential: Any = load_potential(context.models / FitTask(plan, trained_on).key)
        parameters = potential.parameters
        for tested_on, test in tests.items():
            predicted = potential.evaluate(test)
            errors[trained_on, tested_on] = (predicted.energies - test.energies) / test.sizes
            card = regression_scorecard(
                f"{plan.name}, trained on {trained_on}, tested on {tested_on}", predicted, test, context.rng(31)
            )
            scorecards.append({"trained_on": trained_on, "tested_on": tested_on, "scorecard": card.to_dict()})
    transfer = TransferMatrix.from_errors(plan.name, errors, context.rng(32))
    return {"parameters": parameters, "scorecards": scorecards, "transfer": transfer.to_dict()}


def measure_holdout(config: TransferabilityConfig, context: StudyContext, batch: StructureBatch) -> GroupHoldout:
    """Random against whole-group hold-out of the quadratic model: every structure predicted once by each."""
    stored = context.stage("group-holdout", lambda: _holdout(config, context, batch).to_dict())
    return GroupHoldout.from_dict(stored)


def _holdout(config: TransferabilityConfig, context: StudyContext, batch: StructureBatch) -> GroupHoldout:
    labelled = batch.select(np.isfinite(batch.energies))
    groups = np.unique(np.asarray(labelled.groups), return_inverse=True)[1]
    at_random = context.rng(41).permutation(len(labelled)) % (int(groups.max()) + 1)
    descriptor = Bispectrum((config.element,), cutoff=config.cutoff, twojmax=config.holdout_twojmax)
    # One thread of BLAS: its threads wait for each other longer than they work, above all where cores are busy.
    with threadpool_limits(1):
        return group_holdout(
            f"the quadratic model, D = {descriptor.features}",
            _left_out_errors(config, context, labelled, descriptor, at_random),
            _left_out_errors(config, context, labelled, descriptor, groups),
            labelled.groups,
            context.rng(42),
        )


def _left_out_errors(
    config: TransferabilityConfig,
    context: StudyContext,
    batch: StructureBatch,
    descriptor: Bispectrum,
    fold: Int[np.ndarray, " structures"],
) -> Float[np.ndarray, " structures"]:
    """Energy error per atom of each structure under the model fitted to all folds but its own.

    Each fold's rows are made once; what is left when fold k is out are those before it and those after it.
    """
    weights = FitWeights(config.energy_weight, config.force_weight)
    tests = [batch.select(fold == name) for name in range(int(fold.max()) + 1)]
    rows = [
        snap_rows(test, descriptor, quadratic=True, weights=weights) for test in context.track(tests, "group hold-out")
    ]
    none = SnapRows.none(rows[0].factor.shape[1] - 1)
    before = list(accumulate(rows, SnapRows.merged, initial=none))[:-1]
    after = list(accumulate(reversed(rows), SnapRows.merged, initial=none))[-2::-1]
    errors = np.empty(len(batch))
    for name, test in enumerate(tests):
        potential = solve_snap(before[name].merged(after[name]), descriptor, quadratic=True).potential
        atomic, _ = potential.atomic_energies(descriptor.compute(test), descriptor.element_indices(test))
        errors[fold == name] = (np.add.reduceat(atomic, test.offsets[:-1]) - test.energies) / test.sizes
    return errors


def measure_conservation(config: TransferabilityConfig, context: StudyContext) -> list[dict[str, Any]]:
    """NVE in LAMMPS with every model: the deviation of the energy at each timestep, and its order."""
    results = context.stages(
        [f"nve-{task.key}" for task in fit_tasks(config)],
        partial(conserve_one, config, str(context.models), context.seed),
        "energy conservation",
    )
    return sorted(results, key=lambda result: [plan.name for plan in config.models].index(result["model"]))


def conserve_one(config: TransferabilityConfig, models: str, seed: int, index: int) -> dict[str, Any]:
    """NVE with one model."""
    task = fit_tasks(config)[index]
    potential: Potential = load_potential(Path(models) / task.key)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(51,)))
    result = nve_deviation(
        potential, config.nve_timesteps_fs, rng=rng, protocol=NveProtocol(duration_ps=config.nve_duration_ps)
    )
    stored = dict(result.as_dict())
    stored["timestep_fs"] = [float(step) for step in config.nve_timesteps_fs]
    return {"model": task.plan.name, "trained_on": task.trained_on, **stored}


def measure_given(config: TransferabilityConfig, context: StudyContext, given: StructureBatch) -> dict[str, Any]:
    """A linear model on the expert's own labels: its scorecard on held-out structures."""
    return context.stage("given-labels", lambda: _score_given(config, context, given))


def _score_given(config: TransferabilityConfig, context: StudyContext, given: StructureBatch) -> dict[str, Any]:
    from mechlearn.interactions import Zbl

    split = split_random(len(given), rng=context.rng(61))
    descriptor = Bispectrum((config.element,), cutoff=config.cutoff, twojmax=6)
    weights = FitWeights(config.energy_weight, config.force_weight)
    fit = fit_snap(given.select(split.train), descriptor, weights=weights, reference=Zbl((config.element,), 4.0, 4.8))
    save_potential(fit.potential, context.models / "linear-30-on-given-labels")
    write_lammps(fit.potential, context.models / "linear-30-on-given-labels" / "lammps", config.element)
    test = given.select(split.test)
    card = regression_scorecard(
        "linear, D = 30, on the given labels", fit.potential.evaluate(test), test, context.rng(62)
    )
    return {"scorecard": card.to_dict()}
