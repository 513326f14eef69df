"""Embedded-atom potentials out of files, with second derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mechlearn.errors import InputError
from mechlearn.interactions.eam_files import read_tables
from mechlearn.interactions.lammps_files import eam_style, locate
from mechlearn.interactions.pair_functions import PairFunctions, lammps_nodes, smooth_nodes, table_functions
from mechlearn.interactions.pair_list import PairList
from mechlearn.interactions.pair_point import PairPoint, PairSystem
from mechlearn.interactions.potential import Evaluation
from mechlearn.structures import StructureBatch

#: How much further than the cutoff kept neighbours reach, Å.
_SKIN = 0.5


@dataclass(frozen=True, eq=False)
class EamPotential:
    """An embedded-atom potential in tables, equal to LAMMPS's ``pair_style eam/alloy`` or ``eam/fs``.

        E = Σ_i F_a(ρ_i) + Σ_pairs φ_ab(r),   ρ_i = Σ_j f_ba(r_ij)

    a and b being the elements of i and j.  Tables of F, f and r φ become cubics by LAMMPS's rule, so that its energies
    and forces are met to rounding.  The curvatures of these cubics jump a little from one entry of a table to the next;
    the Hessian of LAMMPS's energy has these jumps, and with ``smooth`` :func:`read_eam` makes cubics without.

    Attributes
    ----------
    elements : tuple of str
        The chemical symbols it knows.
    functions : PairFunctions
        Its tables.
    name : str
        How messages call it.

    References
    ----------
    Daw and Baskes, Physical Review B 29, 6443 (1984); Finnis and Sinclair, Philosophical Magazine A 50, 45 (1984).

    Examples
    --------
    >>> from ase.build import bulk
    >>> potential = read_eam("W_zhou.eam.alloy")
    >>> crystal = StructureBatch.from_atoms([bulk("W", a=3.1652, cubic=True)])
    >>> round(float(potential.evaluate(crystal).energies[0]) / 2, 3)
    -8.76
    >>> from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM
    >>> point = potential.at(crystal)
    >>> (point.born_stiffness()[0, :2] * GPA_PER_EV_PER_CUBIC_ANGSTROM).round().tolist()
    [522.0, 204.0]
    """

    elements: tuple[str, ...]
    functions: PairFunctions
    name: str = "EAM"

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies of every structure.

        Raises
        ------
        InputError
            A structure holds an element that the potential does not know, a position that is not a number, or a cell
            without volume.
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
        return self._system.at(structure, kept, _SKIN)

    @property
    def _system(self) -> PairSystem:
        return PairSystem(self.functions, self.elements, self.name)


def read_eam(path: str | Path, elements: Sequence[str] = (), *, smooth: bool = False) -> EamPotential:
    """Read an ``eam/alloy`` (setfl) or ``eam/fs`` file with any number of elements.

    Parameters
    ----------
    path
        The file, or the name of one that comes with LAMMPS; it ends with ``.eam.alloy``, ``.alloy``, ``.eam.fs`` or
        ``.fs``.
    elements
        The elements wanted; by default all that the file knows.
    smooth
        Whether the cubics between the entries of the tables shall have curvatures without jumps.  Energies then differ
        from LAMMPS's by the error of the tables.

    Raises
    ------
    InputError
        The file is missing, of another kind or too short, or does not know an element.

    Examples
    --------
    >>> read_eam("CuZr_mm.eam.fs").elements
    ('Cu', 'Zr')
    """
    found = locate(path)
    style = eam_style(found)
    if style not in ("eam/alloy", "eam/fs"):
        raise InputError(
            f"reading {found}: not a file of kind eam/alloy or eam/fs by its name (.eam.alloy, .eam.fs); "
            "LammpsPotential.from_files takes what LAMMPS takes"
        )
    tables = read_tables(found, style, tuple(elements))
    functions = table_functions(
        tables.repulsions,
        tables.densities,
        tables.embedding,
        cutoff=tables.cutoff,
        spacing=tables.spacing,
        density_spacing=tables.density_spacing,
        nodes_of=smooth_nodes if smooth else lammps_nodes,
    )
    return EamPotential(tables.elements, functions, found.name)
