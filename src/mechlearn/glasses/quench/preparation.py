"""Preparing glasses: melt, equilibrate, quench, minimise; each specimen from a melt of its own."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from jaxtyping import Float, Int

from mechlearn.engines.lammps import Lammps, lammps_session
from mechlearn.engines.structure_sets import make_set
from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.quench.crystallinity import refuse_crystals
from mechlearn.glasses.quench.glass_recipe import CoolingLeg, GlassModel, GlassRecipe
from mechlearn.glasses.quench.swaps import Swapped, swap_unlike_atoms
from mechlearn.glasses.rest.box_relaxation import RelaxedCell, relax_cell
from mechlearn.glasses.rest.minimisation import Minimum, minimise
from mechlearn.interactions import acting_in_lammps
from mechlearn.interactions.checks import species_indices
from mechlearn.records import write_json
from mechlearn.structures import StructureBatch, StructureSet
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM

#: Melts have about a tenth more volume than crystals.
_SWELLING = 1.1

#: Damping of the thermostat and of the barostat, in time steps.
_THERMOSTAT, _BAROSTAT = 100, 1000


@dataclass(frozen=True, eq=False)
class PreparedGlass:
    """One specimen at a minimum of its energy, and what is known of how it came about.

    Attributes
    ----------
    structure : StructureBatch
        A batch of one, with energy, forces and stress.
    crystalline_share : float
        Of its atoms, see :func:`mechlearn.glasses.crystalline_atoms`.
    flow : float
        The mean square displacement in the melt, in squares of the mean spacing; 1 or more is a melt that flowed.
    largest_force : float
        The largest component of a force, eV/Å.
    swapped : float
        The share of swaps that were accepted; NaN where none was tried.
    """

    structure: StructureBatch
    crystalline_share: float
    flow: float
    largest_force: float
    swapped: float


def prepare_glass(recipe: GlassRecipe, seed: int = 0, index: int = 0) -> PreparedGlass:
    """Prepare one specimen: melt a lattice, equilibrate and quench it with LAMMPS, minimise in the cell it then has.

    LAMMPS moves the atoms; the forces are the potential's own, equal to its pair style's and found faster.

    Every specimen has a melt of its own, begun on a simple cubic lattice, which no liquid remembers, with random
    elements and velocities.  So specimens are independent however short the melt is kept, and depend on seed and index
    alone; one long melt for all, as often used, would need snapshots far apart to be as good.

    Parameters
    ----------
    recipe
        How it is prepared.
    seed, index
        Of the set and of the specimen in it.

    Raises
    ------
    InputError
        The cell is narrower than twice the cutoff, a potential does not know an element, or the glass crystallised.
    WorkError
        The melt did not flow, or the minimiser did not converge.

    Examples
    --------
    >>> try:
    ...     prepare_glass(GlassRecipe(atoms=100))
    ... except InputError as error:
    ...     print(str(error).split("; ")[1])
    give more than 201 atoms
    """
    doing = f"preparing specimen {index}"
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    model = recipe.model
    volume = recipe.volume_per_atom or _crystal_volume(recipe.counts)
    _check_width(_cube(volume, recipe.atoms), recipe.atoms, model.cutoff, doing)
    with lammps_session(doing=doing) as lmp:
        types = rng.permutation(model.types(recipe.counts))
        _fill(lmp, model, types, volume, rng)
        with acting_in_lammps(lmp, model.potential, model.elements):
            flow = _melt(lmp, recipe, rng)
            if not flow >= 1.0:
                raise WorkError(
                    f"{doing}: the atoms of its melt moved by {np.sqrt(flow):.2f} of their mean spacing, too little to "
                    "forget where they began; keep it for longer, or hotter"
                )
            swapped = _cool(lmp, recipe, rng)
        positions, cell = _atoms_of(lmp, len(types))
        types = _types_of(lmp)
    _check_width(cell, len(types), model.cutoff, doing)
    raw = StructureBatch.from_arrays(positions, cell[None], model.numbers[types - 1], [len(types)])
    minimum = _at_rest(recipe, raw)
    if not minimum.converged:
        raise WorkError(
            f"{doing}: its minimisation ended at a largest force of {minimum.largest_force:.1e} eV/Å; give another seed"
        )
    share = refuse_crystals(minimum.point.structure, recipe.largest_crystalline_share, doing)
    labelled = minimum.point.structure.with_labels(
        np.array([minimum.point.energy]), minimum.point.forces, minimum.point.stress[None]
    )
    named = replace(
        labelled,
        groups=(recipe.composition,),
        origins=(f"{Path(recipe.potential).name}, quenched at {recipe.quench.rate:g}",),
        names=(specimen_name(index),),
        seeds=np.array([seed]),
    )
    return PreparedGlass(named, share, flow, minimum.largest_force, swapped)


def prepare_glasses(
    recipe: GlassRecipe,
    count: int,
    out: Path | str,
    *,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    pool: Executor | None = None,
) -> StructureSet:
    """Prepare a set of specimens on disk, one a part, going on where an earlier run stopped.

    Beside each part a JSON file tells how its specimen came about.

    Parameters
    ----------
    recipe
        How they are prepared.
    count
        How many.
    out
        The folder of the set.
    seed
        Same seed, same set, for any number of workers.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.
    pool
        What runs the preparations in their place.

    Raises
    ------
    InputError
        If ``count`` is below one, the folder holds something else, or as :func:`prepare_glass`.
    WorkError
        As :func:`prepare_glass`.
    """
    if count < 1:
        raise InputError(f"preparing glasses: the count is {count}; give at least 1")
    volume = recipe.volume_per_atom or _crystal_volume(recipe.counts)
    _check_width(_cube(volume, recipe.atoms), recipe.atoms, recipe.model.cutoff, "preparing glasses")
    maker = _Specimens(recipe, seed, str(Path(out).resolve()))
    record: Mapping[str, Any] = {"kind": "glass", "recipe": asdict(recipe), "seed": seed}
    return make_set(
        maker,
        count,
        Path(out),
        record,
        structures_per_part=1,
        workers=workers,
        scheduler=scheduler,
        pool=pool,
        doing="preparing glasses",
    )


def specimen_name(index: int) -> str:
    """The name of a specimen, by which its loadings are kept together.

    Examples
    --------
    >>> specimen_name(7)
    'specimen-0007'
    """
    return f"specimen-{index:04d}"


@dataclass(frozen=True)
class _Specimens:
    """Prepares the specimens at given indices, and writes down how each came about."""

    recipe: GlassRecipe
    seed: int
    out: str

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        made = []
        for index in indices:
            glass = prepare_glass(self.recipe, self.seed, index)
            facts = {name: getattr(glass, name) for name in ("crystalline_share", "flow", "largest_force", "swapped")}
            write_json(Path(self.out) / f"{specimen_name(index)}.json", facts)
            made.append(glass.structure)
        return StructureBatch.concatenate(made)


def _at_rest(recipe: GlassRecipe, raw: StructureBatch) -> Minimum | RelaxedCell:
    """The glass at a minimum of its energy, in the cell it has or at the pressure asked for."""
    model, pressure = recipe.model, recipe.pressure_at_rest
    if pressure is None:
        return minimise(model.potential, raw)
    # A pressure in units of Lennard-Jones is one in eV/Å³, as ε and σ are one of these.
    unit = GPA_PER_EV_PER_CUBIC_ANGSTROM if model.units == "lj" else 1.0
    return relax_cell(model.potential, raw, pressure * unit)


# ---------------------------------------------------------------------- LAMMPS


def _fill(
    lmp: Lammps, model: GlassModel, types: Int[np.ndarray, " atoms"], volume: float, rng: np.random.Generator
) -> None:
    """Put the atoms on a simple cubic lattice, as many of its sites as needed: nothing there is stable."""
    count = len(types)
    width = float(np.cbrt(volume * count))
    edge = int(np.ceil(np.cbrt(count) - 1e-9))
    sites = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * (width / edge)
    positions = sites[np.sort(rng.permutation(len(sites))[:count])]
    masses = "\n".join(f"mass {kind} {mass:.8g}" for kind, mass in enumerate(model.masses, start=1))
    lmp.commands_string(
        f"""units {model.units}
        atom_style atomic
        atom_modify map array
        boundary p p p
        region cell block 0 {width!r} 0 {width!r} 0 {width!r}
        create_box {len(model.masses)} cell
        {masses}
        timestep {model.timestep}
        """
    )
    made = lmp.create_atoms(count, list(range(1, count + 1)), types.tolist(), positions.ravel().tolist())
    if made != count:
        raise WorkError(f"it took {made} of {count} atoms")


def _melt(lmp: Lammps, recipe: GlassRecipe, rng: np.random.Generator) -> float:
    """Keep the melt at its temperature; the mean square displacement in squares of the mean spacing."""
    temperature = recipe.liquid.temperature
    lmp.commands_string(
        f"velocity all create {temperature!r} {_draw(rng)} mom yes rot no dist gaussian loop all\n"
        "compute moved all msd com yes\nthermo_style custom step temp press c_moved[4]\nthermo 100"
    )
    _run(lmp, recipe, temperature, temperature, recipe.durations[0])
    moved = float(lmp.numpy.extract_compute("moved", 0, 1)[3])
    cell = _atoms_of(lmp, recipe.atoms)[1]
    return moved / float(np.cbrt(np.linalg.det(cell) / recipe.atoms)) ** 2


def _cool(lmp: Lammps, recipe: GlassRecipe, rng: np.random.Generator) -> float:
    """Cool the melt, with rounds of swaps where they are wanted; the share of swaps that were accepted."""
    if recipe.swaps is None:
        for leg in recipe.cooling:
            _run(lmp, recipe, leg.start, leg.end, leg.duration)
        return float("nan")
    tried = accepted = 0
    trials = max(1, round(recipe.swaps.per_atom * recipe.atoms))
    for leg in recipe.cooling:
        for temperature in _in_rounds(lmp, recipe, leg, recipe.swaps.every):
            swapped = _swap(lmp, recipe.model, temperature, trials, rng)
            tried, accepted = tried + swapped.tried, accepted + swapped.accepted
    return accepted / tried if tried else float("nan")


def _in_rounds(lmp: Lammps, recipe: GlassRecipe, leg: CoolingLeg, every: int) -> Iterator[float]:
    """Run a leg in rounds of so many steps; yields the temperature after each, while all is at rest."""
    steps, begun = recipe.model.steps(leg.duration), int(lmp.extract_global("ntimestep"))
    lmp.command(_motion(recipe, leg.start, leg.end))
    for done in range(0, steps, every):
        now = min(every, steps - done)
        # With start and stop the thermostat goes on along the whole leg.
        lmp.command(f"run {now} start {begun} stop {begun + steps} post no")
        yield leg.start + (leg.end - leg.start) * (done + now) / steps
    lmp.command("unfix motion")


def _swap(lmp: Lammps, model: GlassModel, temperature: float, trials: int, rng: np.random.Generator) -> Swapped:
    """One round of swaps; every atom keeps its kinetic energy."""
    types = _types_of(lmp)
    count = len(types)
    positions, cell = _atoms_of(lmp, count)
    structure = StructureBatch.from_arrays(positions, cell[None], model.numbers[types - 1], [count])
    swapped = swap_unlike_atoms(model.potential, structure, model.boltzmann * temperature, trials, _draw(rng))
    changed = species_indices(swapped.structure, model.elements, model.potential.name) + 1
    masses = np.array(model.masses)
    velocities = np.array(lmp.gather_atoms("v", 1, 3), dtype=np.float64).reshape(-1, 3)
    velocities *= np.sqrt(masses[types - 1] / masses[changed - 1])[:, None]
    lmp.scatter_atoms("type", 0, 1, (ctypes.c_int * count)(*changed.tolist()))
    lmp.scatter_atoms("v", 1, 3, (ctypes.c_double * (3 * count))(*velocities.ravel().tolist()))
    return swapped


def _run(lmp: Lammps, recipe: GlassRecipe, start: float, end: float, duration: float) -> None:
    """Run from one temperature to another."""
    lmp.command(_motion(recipe, start, end))
    lmp.command(f"run {recipe.model.steps(duration)}")
    lmp.command("unfix motion")


def _motion(recipe: GlassRecipe, start: float, end: float) -> str:
    """Motion with a thermostat from one temperature to another, and with a barostat where there is a pressure."""
    model, pressure = recipe.model, recipe.quench.pressure
    heat = f"temp {start!r} {end!r} {_THERMOSTAT * model.timestep!r}"
    if pressure is None:
        return f"fix motion all nvt {heat}"
    stress = float(pressure * model.pressure_unit)
    return f"fix motion all npt {heat} iso {stress!r} {stress!r} {_BAROSTAT * model.timestep!r}"


def _types_of(lmp: Lammps) -> Int[np.ndarray, " atoms"]:
    return np.array(lmp.gather_atoms("type", 0, 1), dtype=np.int64)


def _atoms_of(lmp: Lammps, count: int) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
    """Positions from the corner of the box, and the box, which stays a cube."""
    low, high, *_ = lmp.extract_box()
    positions = np.array(lmp.gather_atoms("x", 1, 3), dtype=np.float64).reshape(count, 3)
    return positions - np.array(low), np.diag(np.subtract(high, low))


# ---------------------------------------------------------------------- checks


def _draw(rng: np.random.Generator) -> int:
    """A seed for LAMMPS."""
    return int(rng.integers(1, 2**31 - 1))


def _crystal_volume(counts: Mapping[str, int]) -> float:
    """The mean volume of an atom in the elements' own crystals, swollen as in a melt, Å³."""
    total = 0.0
    for element, count in counts.items():
        try:
            crystal = bulk(element)
        except (ValueError, KeyError, NotImplementedError) as error:
            raise InputError(f"preparing glasses: no crystal of {element} is known; give volume_per_atom") from error
        total += count * crystal.get_volume() / len(crystal)
    return _SWELLING * total / sum(counts.values())


def _cube(volume: float, atoms: int) -> Float[np.ndarray, "3 3"]:
    """A cube for so many atoms of this volume."""
    return np.eye(3) * float(np.cbrt(volume * atoms))


def _check_width(cell: Float[np.ndarray, "3 3"], atoms: int, cutoff: float, doing: str) -> None:
    """Refuse a cell that is narrower than twice the cutoff: atoms would meet an atom and its image."""
    width = float(np.diagonal(cell).min())
    if width < 2.0 * cutoff:
        enough = np.ceil(atoms * (2.0 * cutoff / width) ** 3)
        raise InputError(
            f"{doing}: its cell is narrower than twice the cutoff, {width:.2f} Å for 2 × {cutoff:.2f} Å; "
            f"give more than {enough:.0f} atoms"
        )
