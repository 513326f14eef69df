"""Lennard-Jones potentials of any number of elements, with second derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.interactions.pair_functions import PairFunctions, closed_functions
from mechlearn.interactions.pair_list import PairList
from mechlearn.interactions.pair_point import PairPoint, PairSystem
from mechlearn.interactions.potential import Evaluation
from mechlearn.structures import StructureBatch

#: How a pair function ends at its cutoff.
Ending = Literal["cut", "shifted", "smoothed"]

#: How much further than the cutoff kept neighbours reach, in units of the largest σ.
_SKIN = 0.2


@dataclass(frozen=True, eq=False)
class LennardJones:
    """Lennard-Jones interactions between any elements.

        φ_ab(r) = 4 ε_ab [(σ_ab/r)¹² − (σ_ab/r)⁶] + c₀ + c₁ r² + c₂ r⁴   for r < r_ab, zero beyond

    ``"cut"``: all c are zero, the energy jumps at the cutoff.  ``"shifted"``: c₀ makes the energy end at zero.
    ``"smoothed"``: energy, force and curvature end at zero, what minimisation and second derivatives need (the usual
    form for simulated glasses).

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols.
    energies, lengths, cutoffs : (elements, elements)
        ε, σ and r, symmetric, in eV and Å (or in any units: the results are in the same).
    ending : "cut", "shifted" or "smoothed"
        What happens at the cutoff.
    name : str
        How messages call it.

    Examples
    --------
    Two argon atoms at the bottom of the well:

    >>> from ase import Atoms
    >>> argon = LennardJones.of_one("Ar", 0.0103, 3.4, 8.5, ending="cut")
    >>> pair = Atoms("Ar2", [[0, 0, 0], [3.4 * 2 ** (1 / 6), 0, 0]], cell=[30, 30, 30], pbc=True)
    >>> round(float(argon.evaluate(StructureBatch.from_atoms([pair])).energies[0]), 6)
    -0.0103
    """

    elements: tuple[str, ...]
    energies: Float[np.ndarray, "elements elements"]
    lengths: Float[np.ndarray, "elements elements"]
    cutoffs: Float[np.ndarray, "elements elements"]
    ending: Ending = "smoothed"
    name: str = "Lennard-Jones"

    def __post_init__(self) -> None:
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if unknown or not self.elements:
            raise InputError(f"Lennard-Jones: the elements {self.elements} are not chemical symbols such as 'Ar'")
        if self.ending not in ("cut", "shifted", "smoothed"):
            raise InputError(f"Lennard-Jones: the ending is {self.ending!r}; give 'cut', 'shifted' or 'smoothed'")
        for name in ("energies", "lengths", "cutoffs"):
            values, count = getattr(self, name), len(self.elements)
            if np.shape(values) != (count, count) or not np.array_equal(values, np.transpose(values)):
                raise InputError(f"Lennard-Jones: {name} is {np.array(values).tolist()}; give a symmetric matrix")
            if not (np.all(np.isfinite(values)) and np.all(values >= 0 if name == "energies" else values > 0)):
                raise InputError(f"Lennard-Jones: {name} is {np.array(values).tolist()}; give positive numbers")

    @classmethod
    def of_one(
        cls, element: str, energy: float, length: float, cutoff: float, ending: Ending = "smoothed"
    ) -> LennardJones:
        """The potential of a single element from ε, σ and the cutoff."""
        energies, lengths, cutoffs = (np.array([[float(value)]]) for value in (energy, length, cutoff))
        return cls((element,), energies, lengths, cutoffs, ending)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies (half of each pair) of every structure.

        Raises
        ------
        InputError
            A structure holds another element, a position that is not a number, or a cell without volume.
        """
        return self._system.evaluate(batch)

    def at(self, structure: StructureBatch, kept: PairList | None = None) -> PairPoint:
        """The potential at one structure.

        Parameters
        ----------
        structure
            A batch of one.
        kept
            ``kept`` of an earlier point: its neighbours are used while they hold, through strain and displacement.

        Raises
        ------
        InputError
            As :meth:`evaluate`, or the batch is not of one structure.
        """
        return self._system.at(structure, kept, _SKIN * float(self.lengths.max()))

    @property
    def _system(self) -> PairSystem:
        return PairSystem(self.functions, self.elements, self.name)

    @cached_property
    def functions(self) -> PairFunctions:
        """The coefficients of φ for each pair of elements."""
        upper = np.triu_indices(len(self.elements))  # the order of pair_place
        energies, lengths, cutoffs = (matrix[upper] for matrix in (self.energies, self.lengths, self.cutoffs))
        repulsive, attractive = 4.0 * energies * lengths**12, 4.0 * energies * lengths**6
        ends = np.zeros((3, len(energies)))
        if self.ending == "shifted":
            ends[0] = -(repulsive / cutoffs**12 - attractive / cutoffs**6)
        elif self.ending == "smoothed":
            ends = _smooth_ends(repulsive, attractive, cutoffs)
        return closed_functions(cutoffs, np.column_stack([repulsive, attractive, *ends]))


def kob_andersen(ending: Ending = "smoothed") -> LennardJones:
    """The binary Lennard-Jones mixture of Kob and Andersen, a glass former, in units of its ε_AA and σ_AA.

    Its large particles A are written as nickel and its small ones B as phosphorus, after the alloy Ni80P20 that it was
    made to resemble.  Where results say eV and Å, read ε_AA and σ_AA; the reduced density of the glass is 1.2.

    Parameters
    ----------
    ending
        What happens at the cutoffs 2.5 σ_ab.

    References
    ----------
    Kob and Andersen, Physical Review E 51, 4626 (1995).

    Examples
    --------
    >>> kob_andersen().elements
    ('Ni', 'P')
    """
    energies = np.array([[1.0, 1.5], [1.5, 0.5]])
    lengths = np.array([[1.0, 0.8], [0.8, 0.88]])
    return LennardJones(("Ni", "P"), energies, lengths, 2.5 * lengths, ending, name="Kob–Andersen")


def _smooth_ends(
    repulsive: Float[np.ndarray, " pairs"],
    attractive: Float[np.ndarray, " pairs"],
    cutoffs: Float[np.ndarray, " pairs"],
) -> Float[np.ndarray, "3 pairs"]:
    """c₀, c₁ and c₂ with which φ and its first two derivatives by q = r², hence by r, are zero at the cutoff."""
    q = cutoffs**2
    value = repulsive / q**6 - attractive / q**3
    slope = -6.0 * repulsive / q**7 + 3.0 * attractive / q**4
    curvature = 42.0 * repulsive / q**8 - 12.0 * attractive / q**5
    c2 = -curvature / 2.0
    c1 = -slope - 2.0 * c2 * q
    return np.array([-value - c1 * q - c2 * q**2, c1, c2])
