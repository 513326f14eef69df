"""What the study of transferability will cost: every kind of its work timed on a few structures, on one core."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from mechlearn.descriptors import Bispectrum
from mechlearn.engines.structure_sets import STRUCTURES_PER_PART
from mechlearn.interactions import Potential, label, labeller
from mechlearn.learning import TrainingSettings
from mechlearn.potentials import FitWeights, NveProtocol, fit_network, fit_snap, nve_deviation, save_potential
from mechlearn.sampling import expert_structures, generate_structures
from mechlearn.structures import StructureBatch, StructureSet
from mechlearn.studies.plan import Plan, StagePlan, core_seconds, one_thread, seconds
from mechlearn.studies.transferability_config import ENTROPY, EXPERT, SETS, ModelPlan, TransferabilityConfig
from mechlearn.studies.transferability_sets import generation_settings

#: Structures of each set that are made and labelled, and of both that are fitted to.
_MADE: Final = 24
_FEW, _MANY = 8, 32
#: Models are timed for so long; those left over are taken to cost as much as the costliest of their kind.
_SECONDS_FOR_FITS: Final = 14.0
#: A labeller that takes longer than this for one structure is timed on that one.
_PATIENCE: Final = 1.0
_REPORT_BYTES: Final = 6e6


@dataclass(frozen=True)
class FitTimes:
    """What fitting and using one model takes, s."""

    plan: ModelPlan
    fixed: float
    per_structure: float
    evaluation: float
    bytes: float
    potential: Potential

    def seconds(self, structures: float) -> float:
        """A fit to so many structures."""
        return self.fixed + self.per_structure * structures


def plan_study(config: TransferabilityConfig, workers: int) -> Plan:
    """Time a sample of every stage, and scale it to the settings."""
    start = time.perf_counter()
    with one_thread():
        samples, stages = zip(*(_plan_set(config, name) for name in SETS), strict=True)
        sample = StructureBatch.concatenate(samples)
        sample = sample.select(np.random.default_rng(0).permutation(len(sample)))
        fits = _time_fits(config, sample)
        rest = [
            _plan_fits(config, fits),
            _plan_scores(config, fits),
            _plan_comparison(config, sample),
            _plan_holdout(config, sample),
            _plan_conservation(config, fits),
        ]
    return Plan((*stages, *rest), workers, time.perf_counter() - start)


# ---------------------------------------------------------------------- sets


def _plan_set(config: TransferabilityConfig, name: str) -> tuple[StructureBatch, StagePlan]:
    """A sample of one set, and the stage that makes and labels it."""
    potential = labeller(config.labeller, (config.element,))
    given = name == EXPERT and config.expert is not None
    if name == ENTROPY:
        make: Callable[[Sequence[int]], StructureBatch] = partial(
            generate_structures, generation_settings(config), seed=config.seed
        )
    else:
        make = partial(_expert, config, potential)
    chosen = np.linspace(0, config.structures - 1, _MADE).astype(int).tolist()
    make(chosen[:1])  # compiled and loaded before the clock runs
    start = core_seconds()
    batch = make(chosen)
    making = 0.0 if given else (core_seconds() - start) / len(batch)
    labelled, labelling = _labelled(batch, potential)
    each = making + labelling
    stage = StagePlan(
        f"{name} set",
        tasks=-(-config.structures // STRUCTURES_PER_PART),
        core_seconds=each * config.structures,
        longest_seconds=each * min(STRUCTURES_PER_PART, config.structures),
        bytes=_bytes_on_disk(labelled) * config.structures,
        sample=f"{len(batch)} structures: {1e3 * making:.0f} ms to make, {1e3 * labelling:.1f} ms to label",
    )
    return labelled, stage


def _expert(config: TransferabilityConfig, potential: Potential, indices: Sequence[int]) -> StructureBatch:
    return expert_structures(
        config.element, config.structures, potential=potential, seed=config.seed, indices=list(indices)
    )


def _labelled(batch: StructureBatch, potential: Potential) -> tuple[StructureBatch, float]:
    """The batch with labels, and the seconds that one takes; with zeros, where labels are dear."""
    one = batch.select([0])
    label(one, potential)
    first = seconds(lambda: label(one, potential))
    if first > _PATIENCE:
        return batch.with_labels(np.zeros(len(batch)), np.zeros((batch.atoms, 3))), first
    start = core_seconds()
    labelled = label(batch, potential)
    return labelled, (core_seconds() - start) / len(batch)


def _bytes_on_disk(batch: StructureBatch) -> float:
    """What one structure takes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return StructureSet.create(Path(folder) / "set").append(batch).stat().st_size / len(batch)


# ---------------------------------------------------------------------- models


def _time_fits(config: TransferabilityConfig, sample: StructureBatch) -> list[FitTimes]:
    """Times of every model, the costliest measured of its kind for those that there was no time for."""
    start = time.perf_counter()
    ranked = sorted(range(len(config.models)), key=lambda index: -config.models[index].twojmax)
    # The one of the highest 2J of each kind comes first.
    leaders = {_kind(config.models[index]): index for index in reversed(ranked)}.values()
    found: dict[int, FitTimes] = {}
    for index in [*leaders, *(index for index in ranked if index not in leaders)]:
        plan = config.models[index]
        alike = [times for times in found.values() if _kind(times.plan) == _kind(plan)]
        if alike and time.perf_counter() - start > _SECONDS_FOR_FITS:
            dearest = max(alike, key=lambda times: times.seconds(config.structures))
            found[index] = replace(dearest, plan=plan)
        else:
            found[index] = _time_fit(config, plan, sample)
    return [found[index] for index in range(len(config.models))]


def _kind(plan: ModelPlan) -> tuple[str, bool]:
    return (plan.family[0] if plan.is_network else plan.family), plan.forces


def _time_fit(config: TransferabilityConfig, plan: ModelPlan, sample: StructureBatch) -> FitTimes:
    """Two fits that differ in size tell what each structure adds and what a fit takes at least."""
    descriptor = Bispectrum((config.element,), cutoff=config.cutoff, twojmax=plan.twojmax)
    few, many = sample.select(range(_FEW)), sample.select(range(_MANY))
    if plan.is_network:
        fit = partial(_network, config, plan, descriptor)
        fit(few, 1)
        once, thrice = (seconds(partial(fit, many, epochs)) for epochs in (1, 3))
        epoch = max(thrice - once, 0.0) / 2
        fixed, per_structure = 0.0, (max(once - epoch, 0.0) + config.epochs * epoch) / _MANY
        potential = fit(few, 1)
    else:
        weights = FitWeights(config.energy_weight, config.force_weight if plan.forces else 0.0)
        solve = partial(fit_snap, descriptor=descriptor, quadratic=plan.family == "quadratic", weights=weights)
        potential = solve(few).potential
        short, long = seconds(lambda: solve(few)), seconds(lambda: solve(many))
        per_structure = max(long - short, 0.0) / (_MANY - _FEW)
        fixed = max(short - _FEW * per_structure, 0.0)
    potential.evaluate(few)
    evaluation = seconds(lambda: potential.evaluate(many)) / _MANY
    with tempfile.TemporaryDirectory() as folder:
        save_potential(potential, folder)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return FitTimes(plan, fixed, per_structure, evaluation, size, potential)


def _network(
    config: TransferabilityConfig, plan: ModelPlan, descriptor: Bispectrum, train: StructureBatch, epochs: int
) -> Any:
    settings = TrainingSettings(epochs=epochs, batch_size=config.batch_size, precision=config.precision)
    validation = train.select(range(4))
    force_weight = config.force_weight if plan.forces else 0.0
    return fit_network(
        train,
        validation,
        descriptor,
        plan.family,
        settings,
        energy_weight=config.energy_weight,
        force_weight=force_weight,
    )[0]


def _plan_fits(config: TransferabilityConfig, fits: Sequence[FitTimes]) -> StagePlan:
    each = [times.seconds(0.7 * config.structures) for times in fits]
    return StagePlan(
        f"fits of {len(fits)} models",
        tasks=2 * len(fits),
        core_seconds=2 * sum(each),
        longest_seconds=max(each),
        # A model, its LAMMPS files, and a network's checkpoint with its moments.
        bytes=2 * sum(6 * times.bytes for times in fits),
        sample=f"fits to {_FEW} and {_MANY} structures, networks for 1 and 3 epochs",
    )


def _plan_scores(config: TransferabilityConfig, fits: Sequence[FitTimes]) -> StagePlan:
    # Two models a plan, each on the fifth of either set that is held out.
    each = [4 * 0.2 * config.structures * times.evaluation for times in fits]
    return StagePlan(
        "scores", len(fits), sum(each), max(each), 2e5 * len(fits), f"{_MANY} structures evaluated by each model"
    )


def _plan_comparison(config: TransferabilityConfig, sample: StructureBatch) -> StagePlan:
    descriptor = Bispectrum((config.element,), cutoff=config.cutoff, twojmax=8)
    descriptor.compute(sample.select(range(_FEW)))
    each = seconds(lambda: descriptor.compute(sample)) / len(sample)
    total = 2 * config.structures * each
    return StagePlan(
        "comparison and report", 1, total, total, _REPORT_BYTES, f"descriptors of {len(sample)} structures"
    )


def _plan_holdout(config: TransferabilityConfig, sample: StructureBatch) -> StagePlan:
    quadratic = ModelPlan(family="quadratic", twojmax=config.holdout_twojmax)
    times = _time_fit(config, quadratic, sample)
    folds = len(set(sample.groups))
    total = 2 * (config.structures * times.per_structure + folds * times.fixed)
    return StagePlan("group hold-out", 1, total, total, 1e5, f"fits to {_FEW} and {_MANY} structures")


def _plan_conservation(config: TransferabilityConfig, fits: Sequence[FitTimes]) -> StagePlan:
    """Steps of the equilibration and of every trajectory, at the pace of the costliest model of each kind."""
    protocol = NveProtocol(duration_ps=config.nve_duration_ps)
    steps = protocol.equilibration_ps / protocol.equilibration_timestep_fs * 1e3 + sum(
        protocol.duration_ps * 1e3 / timestep for timestep in config.nve_timesteps_fs
    )
    pace: dict[str, tuple[float, float]] = {}
    for times in sorted(fits, key=lambda times: -times.plan.twojmax):
        kind = "network" if times.plan.is_network else times.plan.family
        if kind not in pace:
            pace[kind] = _time_steps(times.potential)
    each = [
        start * (1 + len(config.nve_timesteps_fs)) / 2 + step * steps
        for start, step in (pace["network" if times.plan.is_network else times.plan.family] for times in fits)
    ]
    return StagePlan(
        "energy conservation", 2 * len(fits), 2 * sum(each), max(each), 2e3 * len(fits), "50 and 350 steps in LAMMPS"
    )


def _time_steps(potential: Potential) -> tuple[float, float]:
    """Seconds to start a pair of runs, and seconds a step, of a crystal too cold to fly apart."""

    def run(steps: int) -> float:
        duration = steps / 2 * 1e-4
        protocol = NveProtocol(
            temperature=1.0, duration_ps=duration, equilibration_ps=duration, equilibration_timestep_fs=0.1
        )
        return seconds(lambda: nve_deviation(potential, (0.1,), rng=np.random.default_rng(0), protocol=protocol))

    run(4)
    short, long = run(50), run(350)
    step = max(long - short, 0.0) / 300
    return max(short - 50 * step, 0.0), step
