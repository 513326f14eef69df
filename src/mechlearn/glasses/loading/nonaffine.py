"""How far the neighbours of an atom depart from any affine motion: D²min of Falk and Langer."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs


@dataclass(frozen=True)
class Convention:
    """Which neighbours D²min goes over, and what is made of their squares.

    Attributes
    ----------
    neighbours : {"reference", "current", "both"}
        In which configuration a neighbour is closer than the cutoff.
    measure : {"sum", "mean", "root mean"}
        Of the squares over the neighbours; the first two are Å², the last is Å.
    """

    neighbours: Literal["reference", "current", "both"]
    measure: Literal["sum", "mean", "root mean"]


#: What Lee and Ryu (2022) and the codes in use call D²min, by name.
CONVENTIONS = MappingProxyType(
    {
        "paper": Convention("reference", "sum"),
        "ovito": Convention("reference", "sum"),
        "matscipy": Convention("current", "sum"),
        "pyscal3": Convention("both", "mean"),
        "lammps": Convention("current", "root mean"),
    }
)


@dataclass(frozen=True, eq=False)
class LocalDeformation:
    """How the neighbours of every atom moved: the best affine motion, and the rest.

    Attributes
    ----------
    gradients : (atoms, 3, 3)
        J of each atom: r → J r takes its neighbours from the reference nearest to where they are now.
    d2min : (atoms,)
        Squares of what J leaves, by the convention asked for: Å², or Å for a root.
    """

    gradients: Float[np.ndarray, "atoms 3 3"]
    d2min: Float[np.ndarray, " atoms"]

    @property
    def strains(self) -> Float[np.ndarray, "atoms 3 3"]:
        """Green's strain η = ½ (Jᵀ J − 1)."""
        return 0.5 * (np.swapaxes(self.gradients, 1, 2) @ self.gradients - np.eye(3))

    @property
    def shear_strains(self) -> Float[np.ndarray, " atoms"]:
        """Von Mises's shear strain, √(½ tr s²) with s the deviator of η."""
        strains = self.strains
        deviators = strains - np.trace(strains, axis1=1, axis2=2)[:, None, None] / 3.0 * np.eye(3)
        return np.sqrt(0.5 * np.square(deviators).sum(axis=(1, 2)))


def local_deformation(
    reference: StructureBatch, current: StructureBatch, cutoff: float, convention: str = "paper"
) -> LocalDeformation:
    """D²min and local strain between two configurations of the same atoms.

    D²min of atom i is the minimum over J of Σ_j |r_ij(now) − J r_ij(reference)|².  The cells may be of any shape, and
    smaller than the cutoff; the cost is linear in the number of atoms.  An atom is followed through the periodic
    boundaries as long as it moves by less than half a cell beside the motion of the cell itself.

    Parameters
    ----------
    reference, current
        The structures before and after, atoms and cells in the same order.
    cutoff
        Up to where atoms are neighbours, Å.  D²min grows with it: compare values of one cutoff alone.
    convention
        A name of :data:`CONVENTIONS`: ``"paper"`` and ``"ovito"`` sum over neighbours in the reference, ``"matscipy"``
        over neighbours now; ``"pyscal3"`` takes the mean over those that are neighbours in both, ``"lammps"`` the root
        of the mean over neighbours now.

    Raises
    ------
    InputError
        The structures do not belong together, an atom has too few neighbours for a fit, or the convention is unknown.

    References
    ----------
    Falk and Langer, Physical Review E 57, 7192 (1998), equations 2.11 to 2.14.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import deformed
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.6, cubic=True)])
    >>> shear = np.array([[1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> deformation = local_deformation(crystal, deformed(crystal, shear), cutoff=3.0)
    >>> bool(deformation.d2min.max() < 1e-25), bool(np.allclose(deformation.gradients, shear))
    (True, True)
    """
    chosen = named_convention(convention)
    _check_same_atoms(reference, current)
    motion = np.linalg.solve(reference.cells, current.cells)
    displacements = displacements_beside_cell(reference, current)
    starts, second, vectors = _pairs(reference, current, motion, displacements, cutoff, chosen)
    gradients, squares = affine_rest(starts, second, vectors, np.ones(len(second)), displacements)
    counts = np.diff(starts)
    if chosen.measure != "sum":
        squares = squares / counts
    return LocalDeformation(
        # Vectors are rows in ``motion`` and columns in a gradient.
        gradients=(np.eye(3) + gradients) @ np.swapaxes(motion, 1, 2)[reference.structure_of_atom],
        d2min=np.sqrt(squares) if chosen.measure == "root mean" else squares,
    )


def nonaffine_squares(
    structure: StructureBatch, displacements: Float[np.ndarray, "atoms 3"], cutoff: float, *, smooth: bool = False
) -> Float[np.ndarray, " atoms"]:
    """D²min of a field of small displacements, Σ_j ω_ij |u_j − u_i − G r_ij|² with the best G.

    Parameters
    ----------
    structure
        In which atoms are neighbours.
    displacements
        u, such as the non-affine displacements for a loading, Å for a strain of 1.
    cutoff
        Up to where atoms are neighbours, Å.
    smooth
        Whether the weight ω of a neighbour falls to zero at the cutoff (:func:`fading_weights`), so that the number
        does not jump as an atom crosses it; else all weights are one.

    Raises
    ------
    InputError
        An atom has too few neighbours for a fit.
    """
    pairs = neighbour_pairs(structure, cutoff)
    weights = fading_weights(pairs.distances, cutoff) if smooth else np.ones(len(pairs.second))
    return affine_rest(pairs.starts, pairs.second, pairs.vectors, weights, displacements)[1]


def fading_weights(distances: Float[np.ndarray, " pairs"], cutoff: float) -> Float[np.ndarray, " pairs"]:
    """ω = (1 − (r/r_c)²)², zero at the cutoff with its slope."""
    return (1.0 - (distances / cutoff) ** 2) ** 2


def affine_rest(
    starts: Int[np.ndarray, " atoms_and_one"],
    second: Int[np.ndarray, " pairs"],
    vectors: Float[np.ndarray, "pairs 3"],
    weights: Float[np.ndarray, " pairs"],
    displacements: Float[np.ndarray, "atoms 3"],
) -> tuple[Float[np.ndarray, "atoms 3 3"], Float[np.ndarray, " atoms"]]:
    """The best gradient of displacements around each atom, and the squares that it leaves.

    Raises
    ------
    InputError
        An atom has too few neighbours for a fit.
    """
    from mechlearn.glasses.loading.nonaffine_kernels import affine_fits

    gradients, squares, defined = affine_fits(starts, second, vectors, weights, np.ascontiguousarray(displacements))
    if not defined.all():
        atom = int(np.argmin(defined))
        raise InputError(
            f"fitting the local strain: the {int(starts[atom + 1] - starts[atom])} neighbours of atom {atom} do not "
            "span space; take a larger cutoff"
        )
    return gradients, squares


def named_convention(name: str) -> Convention:
    """The convention of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in CONVENTIONS:
        raise InputError(f"D²min: no convention is called {name!r}; choose one of {', '.join(CONVENTIONS)}")
    return CONVENTIONS[name]


def displacements_beside_cell(reference: StructureBatch, current: StructureBatch) -> Float[np.ndarray, "atoms 3"]:
    """By how much each atom moved beside the motion of its cell, by the shortest way through the boundaries, Å."""
    owner = reference.structure_of_atom
    inverse_reference, inverse_current = np.linalg.inv(reference.cells), np.linalg.inv(current.cells)
    moves = np.einsum("ia,iab->ib", current.positions, inverse_current[owner])
    moves -= np.einsum("ia,iab->ib", reference.positions, inverse_reference[owner])
    moves -= np.where(reference.periodic[owner], np.rint(moves), 0.0)
    return np.einsum("ia,iab->ib", moves, current.cells[owner])


def _pairs(
    reference: StructureBatch,
    current: StructureBatch,
    motion: Float[np.ndarray, "structures 3 3"],
    displacements: Float[np.ndarray, "atoms 3"],
    cutoff: float,
    convention: Convention,
) -> tuple[Int[np.ndarray, " atoms_and_one"], Int[np.ndarray, " pairs"], Float[np.ndarray, "pairs 3"]]:
    """Neighbours, and the vectors to them in the reference, carried along with the cell."""
    pairs = neighbour_pairs(current if convention.neighbours == "current" else reference, cutoff)
    changes = displacements[pairs.second] - displacements[pairs.first]
    if convention.neighbours == "current":
        return pairs.starts, pairs.second, pairs.vectors - changes
    owner = reference.structure_of_atom[pairs.first]
    carried = np.einsum("pa,pab->pb", pairs.vectors, motion[owner])
    if convention.neighbours == "reference":
        return pairs.starts, pairs.second, carried
    still: Bool[np.ndarray, " pairs"] = np.linalg.norm(carried + changes, axis=1) < cutoff
    starts = np.concatenate([[0], np.cumsum(np.bincount(pairs.first[still], minlength=reference.atoms))])
    return starts, pairs.second[still], carried[still]


def _check_same_atoms(reference: StructureBatch, current: StructureBatch) -> None:
    """Refuse configurations of different atoms."""
    for name in ("offsets", "species", "periodic"):
        if not np.array_equal(getattr(reference, name), getattr(current, name)):
            raise InputError(
                f"D²min: the two configurations differ in their {name} ({reference.atoms} and {current.atoms} atoms "
                f"in {len(reference)} and {len(current)} structures); give the same atoms in the same order"
            )
