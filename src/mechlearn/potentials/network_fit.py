"""Fitting a network potential to energies, or to energies and forces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mechlearn.descriptors import Descriptor
from mechlearn.errors import InputError, installation
from mechlearn.interactions.potential import Potential
from mechlearn.learning import Epoch, History, Perceptron, TrainingSettings
from mechlearn.potentials.network import NetworkPotential, architecture, element_indices
from mechlearn.structures import StructureBatch

#: A weight for every structure, or one a group by its name.
Weight = float | Mapping[str, float]


def fit_network(
    train: StructureBatch,
    validation: StructureBatch,
    descriptor: Descriptor,
    architecture_name: str,
    settings: TrainingSettings | None = None,
    *,
    energy_weight: Weight = 1.0,
    force_weight: Weight = 0.0,
    reference: Potential | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
    jacobian_bytes: float = 2e9,
) -> tuple[NetworkPotential, History]:
    """Fit a network potential to labelled structures.

    The loss of a structure of n atoms is that of the rows of a linear SNAP fit,
    (w_E·(E − E*)/n)² + Σ_k |w_F·(F_k − F_k*)|², averaged over structures and divided by its value for the
    best constant energy per atom: 1 is no skill. Labels that are NaN count nothing. With ``force_weight`` 0,
    as in Montes de Oca Zapiain et al. (2022), the fit sees energies alone and no derivative is computed.

    The network starts from random hidden layers and the output layer that fits the energies best on them
    (ridge regression), around the mean energy of an atom of each element. Descriptors are computed once; the
    derivatives of descriptors are kept as far as ``jacobian_bytes`` reach and computed again every epoch
    beyond.

    Parameters
    ----------
    train, validation
        Labelled structures; the weights kept are those of the lowest validation loss. An empty validation
        batch puts the training loss in its place.
    descriptor
        Gives the network's inputs.
    architecture_name
        ``"A1"`` … ``"B5"``, see :func:`~mechlearn.potentials.network.architecture`.
    settings
        Epochs, learning rate, batch size, …
    energy_weight, force_weight
        Weights of the residuals, in atom/eV and Å/eV; a number, or one a group (``{"liquid": 0.1, …}``).
    reference
        A potential whose energies and forces are taken from the labels, and added by the fitted one, as ZBL.
    seed
        Of the first weights, the minibatches and their order.
    checkpoint
        A file to go on from and to write to, see :func:`mechlearn.learning.training.train`.
    progress
        Called after every epoch.
    jacobian_bytes
        Memory for derivatives of descriptors, bytes.

    Raises
    ------
    InputError
        No energies to fit, an unknown element, architecture or group, weights below 0, torch not installed.
    WorkError
        The loss became infinite.
    """
    settings = settings or TrainingSettings()
    widths = architecture(architecture_name, descriptor.features)
    if not len(train):
        raise InputError("fitting a network: there is no training structure; give at least one")
    trained = prepare(train, descriptor, reference, energy_weight, force_weight)
    judged = prepare(validation, descriptor, reference, energy_weight, force_weight) if len(validation) else None
    _require_labels(trained)
    frame = Frame.of(trained, len(descriptor.elements))
    try:
        from mechlearn.potentials import network_training
    except ModuleNotFoundError as error:
        raise InputError(
            f"fitting a network: torch is not installed; {installation('nn')}, or fit a linear or quadratic model"
        ) from error
    perceptrons, history = network_training.train_perceptrons(
        trained,
        judged,
        frame,
        widths,
        settings,
        seed=seed,
        jacobian_bytes=jacobian_bytes,
        checkpoint=checkpoint,
        data=_fingerprint(trained, judged),
        progress=progress,
    )
    provenance = {
        "architecture": architecture_name,
        "settings": asdict(settings),
        "seed": seed,
        "energy_weight": _plain(energy_weight),
        "force_weight": _plain(force_weight),
        "train_structures": len(train),
        "validation_structures": len(validation),
        "best_epoch": history.best.number,
        "epochs": len(history),
    }
    return frame.potential(descriptor, perceptrons, reference, provenance), history


@dataclass(frozen=True, eq=False)
class FitData:
    """Structures as a fit sees them.

    Attributes
    ----------
    batch, descriptor
        The structures and what describes them.
    inputs : (atoms, features)
        Descriptors.
    element : (atoms,)
        Index of each atom's element.
    energies : (structures,)
        Labels less the reference, eV; 0 where there is none.
    forces : (atoms, 3)
        Labels less the reference, eV/Å; 0 where there is none.
    energy_weights, force_weights : (structures,), (atoms,)
        0 where there is no label.
    """

    batch: StructureBatch
    descriptor: Descriptor
    inputs: Float[np.ndarray, "atoms features"]
    element: Int[np.ndarray, " atoms"]
    energies: Float[np.ndarray, " structures"]
    forces: Float[np.ndarray, "atoms 3"]
    energy_weights: Float[np.ndarray, " structures"]
    force_weights: Float[np.ndarray, " atoms"]

    @property
    def uses_forces(self) -> bool:
        """Whether any force counts."""
        return bool(np.any(self.force_weights > 0))

    def select(self, chosen: Int[np.ndarray, " chosen"]) -> FitData:
        """The data of some structures, in that order."""
        offsets = self.batch.offsets
        atoms = np.concatenate([np.arange(offsets[index], offsets[index + 1]) for index in chosen])
        return FitData(
            batch=self.batch.select(chosen),
            descriptor=self.descriptor,
            inputs=self.inputs[atoms],
            element=self.element[atoms],
            energies=self.energies[chosen],
            forces=self.forces[atoms],
            energy_weights=self.energy_weights[chosen],
            force_weights=self.force_weights[atoms],
        )

    def composition(self, elements: int) -> Float[np.ndarray, "structures elements"]:
        """How many atoms of each element each structure has."""
        counts = np.zeros((len(self.batch), elements))
        np.add.at(counts, (self.batch.structure_of_atom, self.element), 1.0)
        return counts


def prepare(
    batch: StructureBatch,
    descriptor: Descriptor,
    reference: Potential | None,
    energy_weight: Weight,
    force_weight: Weight,
) -> FitData:
    """Descriptors of a batch, its labels less those of the reference, and what each label weighs."""
    element = element_indices(batch, descriptor.elements)
    energies, forces = batch.energies, batch.forces
    if reference is not None:
        known = reference.evaluate(batch)
        energies, forces = energies - known.energies, forces - known.forces
    energy_weights = _weights("energy_weight", energy_weight, batch)
    force_weights = _weights("force_weight", force_weight, batch)[batch.structure_of_atom]
    labelled = np.isfinite(energies)
    pulled = np.isfinite(forces).all(axis=1)
    return FitData(
        batch=batch,
        descriptor=descriptor,
        inputs=descriptor.compute(batch),
        element=element,
        energies=np.where(labelled, energies, 0.0),
        forces=np.where(pulled[:, None], forces, 0.0),
        energy_weights=np.where(labelled, energy_weights, 0.0),
        force_weights=np.where(pulled, force_weights, 0.0),
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """The units of a fit: inputs of mean 0 and spread 1 an element, energies in units of their own spread.

    Attributes
    ----------
    mean, spread : (elements, features)
        Of the training inputs.
    energy_shift : (elements,)
        Energy of an atom of each element, by least squares, eV.
    energy_scale
        Root mean square of what the shifts leave, per atom, eV.
    loss_scale
        The mean loss of a structure where the network says 0.
    """

    mean: Float[np.ndarray, "elements features"]
    spread: Float[np.ndarray, "elements features"]
    energy_shift: Float[np.ndarray, " elements"]
    energy_scale: float
    loss_scale: float

    @classmethod
    def of(cls, data: FitData, elements: int) -> Frame:
        """The frame of training data."""
        mean, spread = np.zeros((elements, data.inputs.shape[1])), np.ones((elements, data.inputs.shape[1]))
        for index in range(elements):
            own = data.inputs[data.element == index]
            if len(own):
                mean[index] = own.mean(axis=0)
                deviation = own.std(axis=0)
                # A feature that never varies would be divided by 0, or by rounding: leave its unit alone.
                spread[index] = np.where(deviation > 1e-9 * (1 + np.abs(mean[index])), deviation, 1.0)
        counts, sizes, labelled = data.composition(elements), data.batch.sizes, data.energy_weights > 0
        rows = labelled / sizes
        shift = np.linalg.lstsq(counts * rows[:, None], data.energies * rows, rcond=None)[0]
        residual = (data.energies - counts @ shift) * rows
        scale = float(np.sqrt(np.sum(residual**2) / max(np.sum(labelled), 1)))
        loss = np.sum((data.energy_weights * residual) ** 2) + np.sum((data.force_weights[:, None] * data.forces) ** 2)
        return cls(mean, spread, shift, scale if scale > 1e-12 else 1.0, float(loss / len(data.batch)) or 1.0)

    def standardised(
        self, inputs: Float[np.ndarray, "atoms features"], element: Int[np.ndarray, " atoms"]
    ) -> Float[np.ndarray, "atoms features"]:
        """Inputs in this frame."""
        return (inputs - self.mean[element]) / self.spread[element]

    def potential(
        self,
        descriptor: Descriptor,
        perceptrons: tuple[Perceptron, ...],
        reference: Potential | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> NetworkPotential:
        """The potential of perceptrons that were trained in this frame."""
        return NetworkPotential(
            descriptor,
            perceptrons,
            self.mean,
            self.spread,
            self.energy_shift,
            self.energy_scale,
            reference,
            provenance or {},
        )


def _weights(name: str, weight: Weight, batch: StructureBatch) -> Float[np.ndarray, " structures"]:
    """The weight of each structure."""
    if isinstance(weight, Mapping):
        missing = sorted(set(batch.groups) - set(weight))
        if missing:
            raise InputError(f"fitting a network: {name} has no entry for the group {missing[0]!r}; give one for each")
        values = np.array([weight[group] for group in batch.groups], dtype=np.float64)
    else:
        values = np.full(len(batch), float(weight))
    if not np.all(np.isfinite(values) & (values >= 0)):
        raise InputError(f"fitting a network: {name} holds {values.min()}; give numbers of 0 or more")
    return values


def _require_labels(data: FitData) -> None:
    if not (np.any(data.energy_weights > 0) or data.uses_forces):
        raise InputError(
            f"fitting a network: none of the {len(data.batch)} training structures has a label with a "
            "weight; label them first, or give energy_weight or force_weight above 0"
        )


def _fingerprint(train: FitData, validation: FitData | None) -> str:
    """A digest of all that a fit sees, so that a checkpoint cannot go on with other data."""
    digest = hashlib.sha256()
    for data in (train, validation):
        if data is not None:
            for array in (data.inputs, data.energies, data.forces, data.energy_weights, data.force_weights):
                digest.update(np.ascontiguousarray(array).data)
            digest.update(data.batch.offsets.data)
    return digest.hexdigest()


def _plain(weight: Weight) -> float | dict[str, float]:
    return dict(weight) if isinstance(weight, Mapping) else float(weight)
