"""Neural-network potentials: E = Σ_i N_e(i)(B_i), a perceptron for each element on an atom's descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.descriptors import Bispectrum, Descriptor, Pullback
from mechlearn.errors import InputError
from mechlearn.interactions.potential import Evaluation, Potential
from mechlearn.learning import Perceptron, parameter_count
from mechlearn.structures import StructureBatch

#: Nodes of the hidden layers. A1 and B1 meet the paper's numbers of parameters; the others are chosen here.
HIDDEN_WIDTHS: Final[dict[str, tuple[int, ...]]] = {
    "A1": (10, 6),
    "A2": (16, 8, 4),
    "A3": (20, 14, 8, 4),
    "A4": (24, 18, 12, 6),
    "A5": (28, 24, 20, 16, 12, 8),
    "B1": (64, 30),
    "B2": (96, 48, 24),
    "B3": (128, 96, 48),
    "B4": (256, 128, 64),
    "B5": (384, 192, 96),
}

#: Atoms that go through a network at once: the hidden layers of more no longer fit a processor's cache.
_ROWS: Final = 4096


def architecture(name: str, features: int) -> tuple[int, ...]:
    """The widths of all layers of one of the ten networks of Montes de Oca Zapiain et al. (2022).

    Five of type A step down from the inputs to the energy, five of type B expand first and contract then; the
    number of features changes the input layer alone (Figure 7). The paper gives the parameters of two at D =
    30, which 30-10-6-1 (A1: 383) and 30-64-30-1 (B1: 3,965) meet, and no other widths. Those were chosen so
    that

    - type A is strictly decreasing from D = 30 on, as its name says, and grows in depth and width: 383, 673,
      1,075, 1,507, 2,717 parameters; a step-down from 30 cannot hold many more;
    - type B widens the first layer from 64 to 384 and halves it from layer to layer (or nearly): 3,965,
      8,833, 21,057, 49,153, 104,449 parameters, up to the 10⁵ where Figure 3 ends, about the number of
      training structures.

    Parameters
    ----------
    name
        ``"A1"`` … ``"A5"``, ``"B1"`` … ``"B5"``.
    features
        The number D of descriptors.

    Raises
    ------
    InputError
        No such architecture.

    Examples
    --------
    >>> architecture("A1", 30), parameter_count(architecture("A1", 30))
    ((30, 10, 6, 1), 383)
    >>> parameter_count(architecture("B1", 30))
    3965
    """
    if name not in HIDDEN_WIDTHS:
        raise InputError(f"choosing a network: there is no architecture {name!r}; choose of {', '.join(HIDDEN_WIDTHS)}")
    return (features, *HIDDEN_WIDTHS[name], 1)


@dataclass(frozen=True, eq=False)
class NetworkPotential:
    """A potential whose atomic energies are perceptrons of standardised descriptors.

    E_i = shift_e + scale·N_e((B_i − mean_e)/spread_e) for an atom i of element e, E = Σ_i E_i + E_reference.
    Forces and virials are the descriptor's pullback of ∂E_i/∂B_i = scale·∇N_e/spread_e.

    Attributes
    ----------
    descriptor
        What gives B_i, and pulls gradients back to forces.
    perceptrons
        One an element, in the descriptor's order of elements.
    mean, spread : (elements, features)
        The frame in which the inputs were comparable while training.
    energy_shift : (elements,)
        Energy of an atom where the network says 0, eV.
    energy_scale
        Energy of one unit of the network's output, eV.
    reference
        A potential that is added, as ZBL; None for none.
    provenance
        How it was made: what JSON can hold, kept when it is saved.

    Raises
    ------
    InputError
        The parts do not fit each other.
    """

    descriptor: Descriptor
    perceptrons: tuple[Perceptron, ...]
    mean: Float[np.ndarray, "elements features"]
    spread: Float[np.ndarray, "elements features"]
    energy_shift: Float[np.ndarray, " elements"]
    energy_scale: float
    reference: Potential | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (len(self.descriptor.elements), self.descriptor.features)
        inputs = [perceptron.widths[0] for perceptron in self.perceptrons]
        if inputs != [expected[1]] * expected[0] or self.mean.shape != expected or self.spread.shape != expected:
            raise InputError(
                f"building a network potential: perceptrons of {inputs} inputs and a frame of shape "
                f"{self.mean.shape} do not fit a descriptor of {expected[0]} elements and {expected[1]} "
                "features; use the descriptor it was fitted with"
            )

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows."""
        return self.descriptor.elements

    @property
    def parameters(self) -> int:
        """The number N_DoF of weights and biases, of all elements."""
        return sum(perceptron.parameters for perceptron in self.perceptrons)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies of every structure.

        Raises
        ------
        InputError
            The batch holds an element that the potential does not know.
        """
        element = self.element_indices(batch)
        atomic, pulled = self._through_descriptor(batch, element)
        energies = np.bincount(batch.structure_of_atom, weights=atomic, minlength=len(batch)).astype(np.float64)
        forces, stresses = pulled.forces, pulled.stresses(batch.volumes)
        if self.reference is None:
            return Evaluation(energies, forces, stresses, atomic)
        added = self.reference.evaluate(batch)
        return Evaluation(
            energies + added.energies,
            forces + added.forces,
            stresses + added.stresses,
            None if added.atomic_energies is None else atomic + added.atomic_energies,
        )

    def energies_and_gradient(
        self, D: Float[np.ndarray, "atoms features"], element: Int[np.ndarray, " atoms"]
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms features"]]:
        """Energies of atoms, and their gradients, from descriptors alone; the reference is left out.

        This is all that a molecular-dynamics code that computes its own descriptors has to call.
        """
        if len(D) > _ROWS:
            starts = range(0, len(D), _ROWS)
            pieces = [self.energies_and_gradient(D[at : at + _ROWS], element[at : at + _ROWS]) for at in starts]
            return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])
        if len(self.perceptrons) == 1:
            return self._of_element(0, D)
        energies, gradient = np.empty(len(D)), np.empty_like(D)
        for index in range(len(self.perceptrons)):
            rows = np.flatnonzero(element == index)
            energies[rows], gradient[rows] = self._of_element(index, D[rows])
        return energies, gradient

    def element_indices(self, batch: StructureBatch) -> Int[np.ndarray, " atoms"]:
        """Which of the potential's elements each atom is.

        Raises
        ------
        InputError
            The batch holds an element that the potential does not know.
        """
        return element_indices(batch, self.elements)

    def folded(self) -> tuple[Perceptron, ...]:
        """Perceptrons of the raw B_i that give E_i in eV: frame, shift and scale are in their layers."""
        return tuple(
            perceptron.with_inputs_standardised(mean, spread).with_output(float(shift), self.energy_scale)
            for perceptron, mean, spread, shift in zip(
                self.perceptrons, self.mean, self.spread, self.energy_shift, strict=True
            )
        )

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.perceptrons[0].widths))
        return f"NetworkPotential({'-'.join(self.elements)}, {widths}, {self.parameters} parameters)"

    def _through_descriptor(self, batch: StructureBatch, element: np.ndarray) -> tuple[np.ndarray, Pullback]:
        """Atomic energies and the pullback of their gradient; neighbours are found once, if possible."""
        if isinstance(self.descriptor, Bispectrum):
            prepared = self.descriptor.prepare(batch)
            atomic, gradient = self.energies_and_gradient(prepared.compute(), element)
            return atomic, prepared.pullback(gradient)
        atomic, gradient = self.energies_and_gradient(self.descriptor.compute(batch), element)
        return atomic, self.descriptor.pullback(batch, gradient)

    def _of_element(self, index: int, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spread = self.spread[index]
        energy, gradient = self.perceptrons[index].energy_and_gradient((D - self.mean[index]) / spread)
        return self.energy_shift[index] + self.energy_scale * energy, gradient * (self.energy_scale / spread)


def element_indices(batch: StructureBatch, elements: tuple[str, ...]) -> Int[np.ndarray, " atoms"]:
    """The place of each atom's element in a list of symbols.

    Raises
    ------
    InputError
        An element is not in the list.

    Examples
    --------
    >>> from ase.build import bulk
    >>> element_indices(StructureBatch.from_atoms([bulk("NaCl", "rocksalt", a=5.6)]), ("Cl", "Na")).tolist()
    [1, 0]
    """
    table = np.full(max(atomic_numbers.values()) + 1, -1, dtype=np.int64)
    for index, symbol in enumerate(elements):
        table[atomic_numbers[symbol]] = index
    indices = table[batch.species]
    if np.any(indices < 0):
        unknown = sorted(set(batch.elements) - set(elements))
        raise InputError(
            f"evaluating a network: the structures hold {', '.join(unknown)}, the potential knows "
            f"{', '.join(elements)}; leave those structures out or fit a potential with all elements"
        )
    return indices


__all__ = ["HIDDEN_WIDTHS", "NetworkPotential", "architecture", "element_indices", "parameter_count"]
