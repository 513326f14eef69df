"""From labelled structures to a potential on disk: split, fit, score, save, LAMMPS files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from mechlearn.descriptors import Bispectrum
from mechlearn.engines.structure_sets import claimed
from mechlearn.errors import InputError
from mechlearn.evaluation import Scorecard, regression_scorecard
from mechlearn.interactions import Evaluation, Potential, Zbl
from mechlearn.learning import Epoch, TrainingSettings
from mechlearn.potentials import (
    FitWeights,
    LammpsFiles,
    MliapFiles,
    NetworkPotential,
    SnapPotential,
    fit_network,
    fit_snap,
    save_potential,
    write_lammps,
    write_mliap,
)
from mechlearn.records import write_atomically, write_json
from mechlearn.structures import Split, StructureBatch, split_by_group, split_random
from mechlearn.studies.configuration import suggestion

logger = logging.getLogger("mechlearn.fit")

NETWORKS: Final = tuple(f"{kind}{number}" for kind in "AB" for number in range(1, 6))
MODELS: Final = ("linear", "quadratic", *NETWORKS)

#: The share of structures that a network's learning rate and early stopping are judged by.
VALIDATION: Final = 0.1

#: Structures evaluated at once, so that memory does not grow with the set.
STRUCTURES_AT_ONCE: Final = 512


@dataclass(frozen=True)
class FitSettings:
    """How a potential is fitted.

    Attributes
    ----------
    model : str
        ``linear``, ``quadratic``, or a network ``A1`` … ``B5``.
    twojmax, cutoff
        The bispectrum: 2J, and the cutoff in Å.
    energy_weight, force_weight, stress_weight
        Of residuals in eV/atom, eV/Å and eV/Å³; networks take no stresses.
    group_weights : dict
        A factor on the weights of a group's structures, by the group's name; 1 for the others.
    ridge : float
        A pure number, see :func:`mechlearn.potentials.fit_snap`; not for networks.
    zbl : (inner, outer) or None
        The range of a ZBL repulsion that is taken off the labels and added to the potential, Å.
    test : float
        The share of structures that the fit does not see.
    test_by : str
        ``random``, or ``group``: whole groups are held out.
    epochs : int
        Of a network's training.
    seed : int
        Of the split, the first weights and the order of minibatches.

    Raises
    ------
    InputError
        An unknown model, or a number out of range.
    """

    model: str = "linear"
    twojmax: int = 8
    cutoff: float = 4.73
    energy_weight: float = 100.0
    force_weight: float = 1.0
    stress_weight: float = 0.0
    group_weights: dict[str, float] = field(default_factory=dict)
    ridge: float = 0.0
    zbl: tuple[float, float] | None = (4.0, 4.8)
    test: float = 0.0
    test_by: Literal["random", "group"] = "random"
    epochs: int = 800
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(f"fitting: no model {self.model!r}; {suggestion(self.model, MODELS)}")
        if not (np.isfinite(self.cutoff) and self.cutoff > 0):
            raise InputError(f"fitting: the cutoff is {self.cutoff} Å; give one above 0")
        if not 0 <= self.test < 1:
            raise InputError(f"fitting: the share held out is {self.test}; give a number from 0 to below 1")
        for name in ("energy_weight", "force_weight", "stress_weight", "ridge"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"fitting: {name} is {getattr(self, name)}; give a number that is not negative")
        if self.is_network and (self.stress_weight or self.ridge):
            raise InputError(f"fitting {self.model}: a network takes no stresses and no ridge; leave them at 0")

    @property
    def is_network(self) -> bool:
        """Whether the model is a network."""
        return self.model in NETWORKS

    def split(self, batch: StructureBatch) -> Split:
        """Which structures are fitted to, judged by, and held out."""
        rng = np.random.default_rng(self.seed)
        validation = VALIDATION * (1 - self.test) if self.is_network else 0.0
        if self.test and self.test_by == "group":
            return split_by_group(batch, self.test, validation=validation, rng=rng)
        return split_random(batch, (1 - validation - self.test, validation, self.test), rng=rng)


@dataclass(frozen=True, eq=False)
class PotentialFit:
    """A fitted potential and what it gets right and wrong.

    Attributes
    ----------
    potential : SnapPotential or NetworkPotential
        What was fitted.
    scorecards : dict of Scorecard
        By ``fitted`` and, where some were held out, ``held_out``.
    record : dict
        How the fit went: equations and rank, or epochs and losses.
    """

    potential: SnapPotential | NetworkPotential
    scorecards: dict[str, Scorecard]
    record: dict[str, Any]


def fit_potential(
    batch: StructureBatch,
    settings: FitSettings,
    *,
    split: Split | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> PotentialFit:
    """Fit a potential to labelled structures and score it.

    Parameters
    ----------
    batch : StructureBatch
        Labelled structures.
    settings : FitSettings
        How.
    split : Split, optional
        Which structures to fit to; that of the settings where it is left out.
    checkpoint : Path, optional
        Where a network's training is kept, to go on from.
    progress : callable, optional
        Called after each of a network's epochs.

    Returns
    -------
    PotentialFit
        The potential and its scorecards.

    Raises
    ------
    InputError
        No labels, a group that does not occur, settings that do not fit.
    """
    split = settings.split(batch) if split is None else split
    train, validation, test = (batch.select(part) for part in (split.train, split.validation, split.test))
    descriptor = Bispectrum(batch.elements, cutoff=settings.cutoff, twojmax=settings.twojmax)
    reference = None if settings.zbl is None else Zbl(batch.elements, *settings.zbl)
    potential: SnapPotential | NetworkPotential
    if settings.is_network:
        potential, record = _network(train, validation, descriptor, reference, settings, checkpoint, progress)
    else:
        potential, record = _snap(train, descriptor, reference, settings)
    rng = np.random.default_rng(settings.seed)
    scorecards = {"fitted": score(potential, train, f"{settings.model} on what it was fitted to", rng)}
    if len(test):
        scorecards["held_out"] = score(potential, test, f"{settings.model} on what it never saw", rng)
    return PotentialFit(potential, scorecards, {**record, "parameters": potential.parameters})


def fit_to_folder(
    batch: StructureBatch,
    settings: FitSettings,
    out: Path,
    *,
    source: str = "",
    progress: Callable[[Epoch], None] | None = None,
) -> PotentialFit:
    """Fit a potential and leave it in a folder: model, LAMMPS files, split and scorecards.

    Parameters
    ----------
    out : Path
        Gets the files that :func:`mechlearn.potentials.load_potential` reads, ``lammps/``, ``split.json``,
        ``scorecard.json`` and ``scorecard.txt``.
    source : str
        Where the structures come from, for the record.

    Raises
    ------
    InputError
        The folder holds a fit with other settings, or other files.
    """
    split = settings.split(batch)
    checkpoint = out / "checkpoint.safetensors"
    with claimed(out, {"fit": asdict(settings), "source": source}, "fitting"):
        fit = fit_potential(batch, settings, split=split, checkpoint=checkpoint, progress=progress)
    save_potential(fit.potential, out, provenance={**asdict(settings), "source": source})
    name = f"{'_'.join(fit.potential.elements)}_{settings.model}"
    export(fit.potential, out / "lammps", name, provenance=f"fitted to {source}" if source else "")
    write_json(out / "split.json", split.to_dict())
    cards = {key: card.to_dict() for key, card in fit.scorecards.items()}
    write_json(out / "scorecard.json", {"fit": fit.record, "scorecards": cards})
    text = "\n\n".join(str(card) for card in fit.scorecards.values())
    write_atomically(out / "scorecard.txt", f"{text}\n".encode())
    return fit


def export(potential: Potential, folder: Path, name: str, *, provenance: str = "") -> list[Path]:
    """Write a potential as files for LAMMPS: SNAP's own, or ML-IAP's for a network.

    Raises
    ------
    InputError
        The potential is of a kind that has no LAMMPS files of its own.
    """
    files: LammpsFiles | MliapFiles
    if isinstance(potential, SnapPotential):
        files = write_lammps(potential, folder, name, provenance=provenance)
    elif isinstance(potential, NetworkPotential):
        files = write_mliap(potential, folder, name, provenance=provenance)
    else:
        raise InputError(f"exporting a {type(potential).__name__}: only SNAP and network potentials have LAMMPS files")
    return [Path(path) for path in asdict(files).values()]


def score(potential: Potential, batch: StructureBatch, title: str, rng: np.random.Generator) -> Scorecard:
    """Score a potential against the labels of a batch, in memory that does not grow with it."""
    return regression_scorecard(title, evaluate_in_parts(potential, batch), batch, rng)


def evaluate_in_parts(potential: Potential, batch: StructureBatch) -> Evaluation:
    """Evaluate a batch, so many structures at once."""
    starts = range(0, len(batch), STRUCTURES_AT_ONCE)
    parts = [
        potential.evaluate(batch.select(np.arange(start, min(start + STRUCTURES_AT_ONCE, len(batch)))))
        for start in starts
    ]
    if not parts:
        return potential.evaluate(batch)
    return Evaluation(
        energies=np.concatenate([part.energies for part in parts]),
        forces=np.concatenate([part.forces for part in parts]),
        stresses=np.concatenate([part.stresses for part in parts]),
    )


def _snap(
    train: StructureBatch, descriptor: Bispectrum, reference: Zbl | None, settings: FitSettings
) -> tuple[SnapPotential, dict[str, Any]]:
    fit = fit_snap(
        train,
        descriptor,
        quadratic=settings.model == "quadratic",
        weights=FitWeights(settings.energy_weight, settings.force_weight, settings.stress_weight),
        group_weights=settings.group_weights,
        ridge=settings.ridge,
        reference=reference,
    )
    record = {"rows": fit.rows, "rank": fit.rank, "columns": fit.columns, "condition": fit.condition}
    return fit.potential, record


def _network(
    train: StructureBatch,
    validation: StructureBatch,
    descriptor: Bispectrum,
    reference: Zbl | None,
    settings: FitSettings,
    checkpoint: Path | None,
    progress: Callable[[Epoch], None] | None,
) -> tuple[NetworkPotential, dict[str, Any]]:
    factors = {group: settings.group_weights.get(group, 1.0) for group in {*train.groups, *validation.groups}}
    if unknown := sorted(set(settings.group_weights) - set(factors)):
        hint = suggestion(unknown[0], sorted(factors))
        raise InputError(f"fitting: a weight is given for the group {unknown[0]!r}, which does not occur; {hint}")
    potential, history = fit_network(
        train,
        validation,
        descriptor,
        settings.model,
        TrainingSettings(epochs=settings.epochs),
        energy_weight={group: settings.energy_weight * factor for group, factor in factors.items()},
        force_weight={group: settings.force_weight * factor for group, factor in factors.items()},
        reference=reference,
        seed=settings.seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    best = history.best
    return potential, {"epochs": len(history), "best_epoch": best.number, "validation_loss": best.validation}
