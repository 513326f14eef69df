"""Scoring a potential: its energies, forces and stresses against labels, with intervals and by group."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.evaluation.regression import (
    determination,
    error_columns,
    labelled_values,
    mean_absolute,
    regression_errors,
    root_mean_square,
    share_within,
)
from mechlearn.evaluation.resampling import GroupLabels, Interval, bootstrap_intervals
from mechlearn.evaluation.scorecard import ROUND_OFF, GroupRow, Metric, Scorecard
from mechlearn.evaluation.tables import significant
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM


@runtime_checkable
class Predictions(Protocol):
    """What a model says: total energies (eV), forces (eV/Å) and stresses (eV/Å³, Voigt) as flat arrays."""

    @property
    def energies(self) -> Float[np.ndarray, " structures"]:
        """Total energies, eV."""
        ...

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """Forces, eV/Å."""
        ...

    @property
    def stresses(self) -> Float[np.ndarray, "structures 6"]:
        """Stresses in Voigt order, eV/Å³."""
        ...


@runtime_checkable
class LabelledStructures(Predictions, Protocol):
    """Labels of many structures: structure ``s`` owns the atoms ``offsets[s]:offsets[s + 1]``."""

    @property
    def offsets(self) -> Int[np.ndarray, " structures_and_one"]:
        """Where each structure's atoms begin."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each structure."""
        ...


@dataclass(frozen=True, eq=False)
class _Compared:
    """One quantity of all structures, its labelled values flat, each with its structure."""

    name: str
    unit: str
    predicted: Float[np.ndarray, " values"]
    reference: Float[np.ndarray, " values"]
    structure: Int[np.ndarray, " values"]

    def of(self, chosen: Bool[np.ndarray, " structures"]) -> _Compared:
        """The values of the chosen structures alone."""
        own = chosen[self.structure]
        return _Compared(self.name, self.unit, self.predicted[own], self.reference[own], self.structure[own])


def regression_scorecard(
    title: str,
    predicted: Predictions,
    reference: LabelledStructures,
    rng: np.random.Generator,
    *,
    specimens: GroupLabels | None = None,
    level: float = 0.95,
    draws: int = 1000,
) -> Scorecard:
    """Score predicted energies, forces and stresses against labels, with intervals and by group.

    Energies are compared per atom, forces per component, stresses per Voigt component in GPa; each gets its
    RMSE, MAE, R², the error that 99% of the values stay below, and the largest.  Intervals come from drawing
    whole structures again (BCa bootstrap), or whole specimens where structures are not independent.

    Parameters
    ----------
    title
        What is scored on what.
    predicted
        Anything with ``energies``, ``forces`` and ``stresses``: an evaluation, a batch.
    reference
        The labels, with ``offsets`` and ``groups`` too; NaN where there is no label.
    rng
        For the bootstrap.
    specimens : (structures,), optional
        The independent unit each structure belongs to; every structure its own where not given.
    level, draws
        Of the bootstrap.

    Raises
    ------
    InputError
        If shapes differ or nothing has a label.
    WorkError
        If a labelled prediction is not finite.
    """
    sizes = np.diff(reference.offsets)
    units = np.arange(len(sizes)) if specimens is None else np.asarray(specimens)
    if len(units) != len(sizes):
        raise InputError(f"scoring '{title}': {len(units)} specimens for {len(sizes)} structures; give one a structure")
    quantities = _compared_quantities(predicted, reference, sizes)
    if not quantities:
        raise InputError(f"scoring '{title}': no structure has an energy, force or stress label; label them first")
    metrics: list[Metric] = []
    for quantity in quantities:
        metrics += _metrics_of(quantity, units, rng, level, draws)
    groups = np.asarray(reference.groups, dtype=object)
    rows = []
    for group in dict.fromkeys(reference.groups):
        chosen = groups == group
        short = [metric for q in quantities for metric in _short_metrics(q.of(chosen), units, rng, level, draws)]
        rows.append(GroupRow(group, int(chosen.sum()), int(sizes[chosen].sum()), tuple(short)))
    rows.sort(key=_badness, reverse=True)
    notes = _notes(quantities, len(sizes), specimens is not None, level)
    if any(metric.is_round_off for metric in [*metrics, *(each for row in rows for each in row.metrics)]):
        notes += (f"Numbers below {ROUND_OFF:g} of their unit are round-off, and shown as 0.",)
    return Scorecard(title, tuple(metrics), tuple(rows), notes)


def _compared_quantities(
    predicted: Predictions, reference: LabelledStructures, sizes: Int[np.ndarray, " structures"]
) -> list[_Compared]:
    """Energies per atom, force components and stress components, where there are labels."""
    structures = np.arange(len(sizes))
    if predicted.energies.shape != reference.energies.shape:
        labelled_values(predicted.energies, reference.energies, "energies")
    candidates = [
        ("energy", "eV/atom", predicted.energies / sizes, reference.energies / sizes, structures),
        ("force", "eV/Å", predicted.forces, reference.forces, np.repeat(structures, sizes)),
        (
            "stress",
            "GPa",
            predicted.stresses * GPA_PER_EV_PER_CUBIC_ANGSTROM,
            reference.stresses * GPA_PER_EV_PER_CUBIC_ANGSTROM,
            structures,
        ),
    ]
    found = []
    for name, unit, predictions, labels, structure in candidates:
        # A potential that gives no stress at all says so with NaN throughout; that is no failure.
        if name == "stress" and np.isnan(predictions).all():
            continue
        labelled = labelled_values(predictions, labels, {"energy": "energies"}.get(name, f"{name} components"))
        if labelled.any():
            owner = structure if labels.ndim == 1 else np.repeat(structure[:, None], labels.shape[1], axis=1)
            found.append(_Compared(name, unit, predictions[labelled], labels[labelled], owner[labelled]))
    return found


def _metrics_of(
    quantity: _Compared, units: np.ndarray, rng: np.random.Generator, level: float, draws: int
) -> list[Metric]:
    """The full set of metrics of one quantity."""
    errors = regression_errors(quantity.predicted, quantity.reference, quantity.name)
    columns = error_columns(quantity.predicted, quantity.reference, errors.worst_percent)
    intervals = bootstrap_intervals(
        {"RMSE": root_mean_square, "MAE": mean_absolute, "R²": determination, "within": share_within},
        columns,
        units[quantity.structure],
        rng,
        level,
        draws,
    )
    if quantity.reference.std() < ROUND_OFF:
        # Labels that are zero but for round-off, as symmetry makes forces, leave nothing to determine.
        intervals["R²"] = replace(intervals["R²"], estimate=math.nan, low=math.nan, high=math.nan)
    found = [
        Metric.from_interval(
            f"{quantity.name} {name}", intervals[name], "" if name == "R²" else quantity.unit, errors.count
        )
        for name in ("RMSE", "MAE", "R²")
    ]
    low, high = _quantile_interval(np.abs(quantity.predicted - quantity.reference), 0.99, intervals["within"])
    name = quantity.name
    found.append(Metric(f"{name} error, 99% below", errors.worst_percent, quantity.unit, low, high, errors.count))
    found.append(Metric(f"{name} error, largest", errors.maximum, quantity.unit, count=errors.count))
    return found


def _quantile_interval(
    root_squared: Float[np.ndarray, " values"], share: float, within: Interval
) -> tuple[float, float]:
    """The interval of a quantile from that of the share of values below it (Woodruff 1952).

    Where the share of values below the estimated quantile is known to within (l, h), the true quantile
    lies between the data's quantiles at 2·share − h and 2·share − l.
    """
    if not (math.isfinite(within.low) and math.isfinite(within.high)):
        return math.nan, math.nan
    shares = np.clip([2 * share - within.high, 2 * share - within.low], 0.0, 1.0)
    low, high = np.quantile(root_squared, shares)
    return float(low), float(high)


def _short_metrics(
    quantity: _Compared, units: np.ndarray, rng: np.random.Generator, level: float, draws: int
) -> list[Metric]:
    """RMSE and MAE of one quantity in one group; nothing where it has no label there."""
    if len(quantity.reference) == 0:
        return []
    columns = error_columns(quantity.predicted, quantity.reference)
    statistics = {"RMSE": root_mean_square, "MAE": mean_absolute}
    intervals = bootstrap_intervals(statistics, columns, units[quantity.structure], rng, level, draws)
    return [
        Metric.from_interval(f"{quantity.name} {name}", interval, quantity.unit, len(quantity.reference))
        for name, interval in intervals.items()
    ]


def _badness(row: GroupRow) -> float:
    """The first metric of a row, by which rows are sorted; rows with none come last."""
    return row.metrics[0].value if row.metrics else -math.inf


def _notes(quantities: list[_Compared], structures: int, by_specimen: bool, level: float) -> tuple[str, ...]:
    """What a reader must know: how intervals were made, what had no label, what is a constant offset."""
    unit = "specimens" if by_specimen else "structures"
    notes = ["One structure gives no interval."]
    if structures > 1:
        notes = [f"{level:.0%} intervals, true if the {unit} are independent; duplicates make them too narrow."]
    for quantity in quantities:
        labelled = len(np.unique(quantity.structure))
        if labelled < structures:
            notes.append(f"{structures - labelled:,} of {structures:,} structures have no {quantity.name} label.")
    for name, plural in (("force", "forces"), ("stress", "stresses")):
        if name not in {quantity.name for quantity in quantities}:
            notes.append(f"No {plural} were compared.")
    energy = next((quantity for quantity in quantities if quantity.name == "energy"), None)
    if energy is not None:
        errors = regression_errors(energy.predicted, energy.reference)
        if errors.count > 9 and abs(errors.bias) > 0.7 * errors.rmse > 0:
            notes.append(
                f"Most of the energy error is one constant offset of {significant(errors.bias)} eV/atom "
                "(mean signed error): the two sources of energy may have different zeros."
            )
    return tuple(notes)
