"""Many periodic structures as flat arrays: the unit of every fast path.

Structure ``s`` owns the atoms ``offsets[s]:offsets[s + 1]``.  Lattice vectors are the *rows* of a cell.
A label that is absent is NaN, never zero, so that a missing stress cannot pass for a relaxed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from ase.geometry import complete_cell
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.structures.summary import summary_html


@dataclass(frozen=True, eq=False)
class StructureBatch:
    """Many structures as flat arrays, with their labels and their origin.

    Attributes
    ----------
    positions : (atoms, 3)
        Cartesian positions, Å.
    cells : (structures, 3, 3)
        Lattice vectors as rows, Å.
    species : (atoms,)
        Atomic numbers.
    offsets : (structures + 1,)
        Structure ``s`` owns the atoms ``offsets[s]:offsets[s + 1]``.
    periodic : (structures, 3)
        Whether the structure repeats along each lattice vector.
    energies : (structures,)
        Total energies, eV; NaN where there is no label.
    forces : (atoms, 3)
        eV/Å; NaN where there is no label.
    stresses : (structures, 6)
        Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive (ASE's convention); NaN where there is none.
    groups, origins, names : tuples of strings, one a structure
        The group (``"gamma_surface"``), where it came from (``"DFT"``, a path, a generator), and its own name.
    seeds : (structures,)
        The seed that made the structure, -1 where there is none.

    Examples
    --------
    >>> from ase.build import bulk
    >>> batch = StructureBatch.from_atoms([bulk("W"), bulk("W", cubic=True)], group="bcc")
    >>> len(batch), batch.atoms, batch.sizes.tolist()
    (2, 3, [1, 2])
    """

    positions: Float[np.ndarray, "atoms 3"]
    cells: Float[np.ndarray, "structures 3 3"]
    species: Int[np.ndarray, " atoms"]
    offsets: Int[np.ndarray, " structures_and_one"]
    periodic: Bool[np.ndarray, "structures 3"]
    energies: Float[np.ndarray, " structures"]
    forces: Float[np.ndarray, "atoms 3"]
    stresses: Float[np.ndarray, "structures 6"]
    groups: tuple[str, ...]
    origins: tuple[str, ...]
    names: tuple[str, ...]
    seeds: Int[np.ndarray, " structures"]

    # ------------------------------------------------------------------ making

    @classmethod
    def from_arrays(
        cls,
        positions: Float[np.ndarray, "atoms 3"],
        cells: Float[np.ndarray, "structures 3 3"],
        species: Int[np.ndarray, " atoms"],
        sizes: Sequence[int] | Int[np.ndarray, " structures"],
        *,
        periodic: Bool[np.ndarray, "structures 3"] | None = None,
        energies: Float[np.ndarray, " structures"] | None = None,
        forces: Float[np.ndarray, "atoms 3"] | None = None,
        stresses: Float[np.ndarray, "structures 6"] | None = None,
        groups: Sequence[str] | None = None,
        origins: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        seeds: Int[np.ndarray, " structures"] | None = None,
    ) -> StructureBatch:
        """Build a batch from arrays, with NaN and empty strings for what is not given."""
        count = len(cells)
        offsets = np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))])
        if len(offsets) != count + 1 or offsets[-1] != len(positions):
            raise InputError(
                f"building a batch: {len(offsets) - 1} sizes with {offsets[-1]} atoms in all do not fit "
                f"{count} cells and {len(positions)} positions; give one size a cell, adding up to the positions"
            )
        blank = ("",) * count
        return cls(
            positions=np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3),
            cells=np.ascontiguousarray(cells, dtype=np.float64).reshape(-1, 3, 3),
            species=np.ascontiguousarray(species, dtype=np.int32),
            offsets=offsets.astype(np.int64),
            periodic=np.ones((count, 3), dtype=bool) if periodic is None else np.asarray(periodic, dtype=bool),
            energies=np.full(count, np.nan) if energies is None else np.asarray(energies, dtype=np.float64),
            forces=np.full((len(positions), 3), np.nan) if forces is None else np.asarray(forces, dtype=np.float64),
            stresses=np.full((count, 6), np.nan) if stresses is None else np.asarray(stresses, dtype=np.float64),
            groups=blank if groups is None else tuple(groups),
            origins=blank if origins is None else tuple(origins),
            names=blank if names is None else tuple(names),
            seeds=np.full(count, -1, dtype=np.int64) if seeds is None else np.asarray(seeds, dtype=np.int64),
        )

    @classmethod
    def from_atoms(cls, images: Iterable[Atoms], *, group: str = "", origin: str = "") -> StructureBatch:
        """Build a batch from ASE structures; labels come from an attached calculator's results.

        The energy is the one whose derivative the forces are: the free energy, where a code with smeared electrons
        gives one.
        ``atoms.info["group"]``, ``["origin"]`` and ``["name"]`` are used where they exist.
        """
        images = list(images)
        if not images:
            return cls.empty()
        labels = [_labels_of(atoms) for atoms in images]
        return cls.from_arrays(
            positions=np.concatenate([atoms.positions for atoms in images]),
            cells=np.stack([complete_cell(atoms.cell.array) for atoms in images]),
            species=np.concatenate([atoms.numbers for atoms in images]).astype(np.int32),
            sizes=[len(atoms) for atoms in images],
            periodic=np.stack([atoms.pbc for atoms in images]),
            energies=np.array([energy for energy, _, _ in labels]),
            forces=np.concatenate([forces for _, forces, _ in labels]),
            stresses=np.stack([stress for _, _, stress in labels]),
            groups=[str(atoms.info.get("group", group)) for atoms in images],
            origins=[str(atoms.info.get("origin", origin)) for atoms in images],
            names=[str(atoms.info.get("name", "")) for atoms in images],
        )

    @classmethod
    def empty(cls) -> StructureBatch:
        """A batch of no structures."""
        return cls.from_arrays(np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, dtype=np.int32), [])

    @classmethod
    def concatenate(cls, batches: Iterable[StructureBatch]) -> StructureBatch:
        """One batch of all the structures of several, in order."""
        batches = list(batches)
        if not batches:
            return cls.empty()
        return cls(
            positions=np.concatenate([batch.positions for batch in batches]),
            cells=np.concatenate([batch.cells for batch in batches]),
            species=np.concatenate([batch.species for batch in batches]),
            offsets=np.concatenate([[0], np.cumsum(np.concatenate([batch.sizes for batch in batches]))]),
            periodic=np.concatenate([batch.periodic for batch in batches]),
            energies=np.concatenate([batch.energies for batch in batches]),
            forces=np.concatenate([batch.forces for batch in batches]),
            stresses=np.concatenate([batch.stresses for batch in batches]),
            groups=tuple(group for batch in batches for group in batch.groups),
            origins=tuple(origin for batch in batches for origin in batch.origins),
            names=tuple(name for batch in batches for name in batch.names),
            seeds=np.concatenate([batch.seeds for batch in batches]),
        )

    # ------------------------------------------------------------------ asking

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def atoms(self) -> int:
        """The number of atoms of all structures together."""
        return len(self.positions)

    @property
    def sizes(self) -> Int[np.ndarray, " structures"]:
        """The number of atoms of each structure."""
        return np.diff(self.offsets)

    @property
    def volumes(self) -> Float[np.ndarray, " structures"]:
        """The volume of each cell, Å³."""
        return np.abs(np.linalg.det(self.cells))

    @property
    def structure_of_atom(self) -> Int[np.ndarray, " atoms"]:
        """The index of the structure that owns each atom."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def energies_per_atom(self) -> Float[np.ndarray, " structures"]:
        """Labelled energy over the number of atoms, eV/atom."""
        return self.energies / self.sizes

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols that occur, in the order of their atomic numbers."""
        return tuple(chemical_symbols[number] for number in np.unique(self.species))

    # ------------------------------------------------------------------ changing

    def select(
        self, indices: Sequence[int] | Int[np.ndarray, " chosen"] | Bool[np.ndarray, " structures"]
    ) -> StructureBatch:
        """The structures at ``indices`` (or where a mask is true), in that order."""
        chosen = np.arange(len(self))[np.asarray(indices, dtype=None if len(indices) else np.int64)]
        sizes = self.sizes[chosen]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        rows = np.repeat(self.offsets[chosen] - starts[:-1], sizes) + np.arange(starts[-1])
        return StructureBatch(
            positions=self.positions[rows],
            cells=self.cells[chosen],
            species=self.species[rows],
            offsets=starts.astype(np.int64),
            periodic=self.periodic[chosen],
            energies=self.energies[chosen],
            forces=self.forces[rows],
            stresses=self.stresses[chosen],
            groups=tuple(self.groups[index] for index in chosen),
            origins=tuple(self.origins[index] for index in chosen),
            names=tuple(self.names[index] for index in chosen),
            seeds=self.seeds[chosen],
        )

    def with_labels(
        self,
        energies: Float[np.ndarray, " structures"],
        forces: Float[np.ndarray, "atoms 3"],
        stresses: Float[np.ndarray, "structures 6"] | None = None,
    ) -> StructureBatch:
        """The same structures with other labels; stresses left out become NaN."""
        missing = np.full((len(self), 6), np.nan)
        return replace(self, energies=energies, forces=forces, stresses=missing if stresses is None else stresses)

    def without_labels(self) -> StructureBatch:
        """The same structures with no labels."""
        return self.with_labels(np.full(len(self), np.nan), np.full((self.atoms, 3), np.nan))

    def to_atoms(self) -> list[Atoms]:
        """One :class:`ase.Atoms` a structure, labels in a single-point calculator, the rest in ``info``."""
        return [self._atoms_at(index) for index in range(len(self))]

    def _atoms_at(self, index: int) -> Atoms:
        own = slice(self.offsets[index], self.offsets[index + 1])
        info = {
            key: value
            for key, value in (
                ("group", self.groups[index]),
                ("origin", self.origins[index]),
                ("name", self.names[index]),
            )
            if value
        }
        atoms = Atoms(
            numbers=self.species[own],
            positions=self.positions[own],
            cell=self.cells[index],
            pbc=self.periodic[index],
            info=info,
        )
        results = {
            "energy": float(self.energies[index]),
            "forces": self.forces[own],
            "stress": self.stresses[index],
        }
        present = {key: value for key, value in results.items() if np.all(np.isfinite(value))}
        if present:
            atoms.calc = SinglePointCalculator(atoms, **present)
        return atoms

    # ------------------------------------------------------------------ showing

    def __repr__(self) -> str:
        labelled = int(np.isfinite(self.energies).sum())
        return (
            f"StructureBatch({len(self)} structures, {self.atoms} atoms of {'-'.join(self.elements) or 'nothing'}, "
            f"{labelled} with energies, {len(set(self.groups))} groups)"
        )

    def _repr_html_(self) -> str:
        heading = f"<b>StructureBatch</b>: {len(self):,} structures, {self.atoms:,} atoms of {', '.join(self.elements)}"
        return summary_html(heading, self.groups, self.sizes, self.energies_per_atom)


def _labels_of(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and stress of an attached calculator's results, NaN for what it does not hold."""
    energy, forces, stress = np.nan, np.full((len(atoms), 3), np.nan), np.full(6, np.nan)
    results = getattr(atoms.calc, "results", None) or {}
    for found in (results.get("free_energy"), results.get("energy")):
        if found is not None:
            energy = float(found)
            break
    if results.get("forces") is not None:
        # ASE leaves constrained forces out of get_forces(); the bare results are what the code computed.
        forces = np.asarray(results["forces"], dtype=np.float64)
    if results.get("stress") is not None:
        try:
            stress = np.asarray(atoms.get_stress(voigt=True, apply_constraint=False), dtype=np.float64)
        except (PropertyNotImplementedError, RuntimeError):
            stress = np.asarray(results["stress"], dtype=np.float64).reshape(-1)[:6]
    return energy, forces, stress
