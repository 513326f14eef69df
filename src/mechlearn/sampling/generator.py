"""Sets of structures that are diverse by construction: random cells, then the entropy potential.

Half of a set maximises the entropy of its descriptors, the other half minimises it (ordered, with defects), as in
Montes de Oca Zapiain et al. (2022); some of either are then opened or shaken.  Structure ``i`` of seed ``s`` is always
the same, whatever the workers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from ase.data import atomic_numbers, reference_states
from jaxtyping import Float, Int

from mechlearn.descriptors import Bispectrum, available_threads
from mechlearn.errors import InputError
from mechlearn.sampling.disturbance import Disturbance, disturbed
from mechlearn.sampling.entropy import EntropyPotential, RepulsiveCore
from mechlearn.sampling.relaxation import AnnealingSchedule, FireSettings, anneal, minimise
from mechlearn.structures import StructureBatch

MAXIMISED, MINIMISED = "entropy-maximised", "entropy-minimised"


@dataclass(frozen=True)
class Recipe:
    """How one half of a set is made: what a structure draws its volume and potential from, and what becomes of it.

    Attributes
    ----------
    densest, loosest : float
        Volume of the cell, in units of the ambient volume; evenly drawn.
    weakest, strongest : float
        Size of κ, eV an atom; evenly drawn in its logarithm, so that a set has structures near the core's own
        packings and others far from any that nature would make.
    smallest_core, largest_core : float
        Radius of the core, in units of the cube root of the ambient volume; evenly drawn.  The nearest neighbours
        of bcc are 1.09 apart, those of fcc 1.12, and the next in bcc 1.26.
    core_strength : float
        ε of the repulsive core, eV.
    annealing : AnnealingSchedule
        The way down from random packings.
    disturbance : Disturbance
        What is done to some of them at the end.

    Raises
    ------
    InputError
        If a range is empty or not positive.
    """

    densest: float
    loosest: float
    weakest: float
    strongest: float
    smallest_core: float
    largest_core: float
    core_strength: float = 300.0
    annealing: AnnealingSchedule = field(default_factory=AnnealingSchedule)
    disturbance: Disturbance = field(default_factory=Disturbance)

    def __post_init__(self) -> None:
        for what, low, high in (
            ("volumes", "densest", "loosest"),
            ("entropy weights", "weakest", "strongest"),
            ("core radii", "smallest_core", "largest_core"),
        ):
            lowest, highest = getattr(self, low), getattr(self, high)
            if not 0 < lowest <= highest:
                raise InputError(f"generating structures: {what} from {lowest} to {highest}; give 0 < {low} ≤ {high}")


#: The diverse half: dense to loose, from the core's own packings to the strangest.
WIDE = Recipe(
    densest=0.8,
    loosest=1.35,
    weakest=0.03,
    strongest=0.6,
    smallest_core=0.98,
    largest_core=1.24,
    disturbance=Disturbance(opened=0.07),
)

#: The ordered half.  The paper's is "mostly crystalline but with defects"; entropy alone does not bring that about in
#: the time there is, since S asks each atom for *one* like neighbour only.  A soft core that reaches past the second
#: neighbours of bcc does: its own ground states are crystals, bcc among them.  In cells of any shape three quarters of
#: the atoms then have bcc, fcc or hcp surroundings (OVITO's template matching, RMSD below 0.15), where WIDE leaves 15%.
#: Both halves are at rest under a core, so that crystals with surfaces or close contacts are in neither: what models
#: miss most is supplied by opening and shaking some of them.
ORDERED = Recipe(
    densest=0.8,
    loosest=1.35,
    weakest=0.002,
    strongest=0.04,
    smallest_core=1.3,
    largest_core=1.7,
    core_strength=60.0,
    annealing=AnnealingSchedule(rounds=12, steps=100, temperature=0.1),
    disturbance=Disturbance(opened=0.15, shaken=0.25, largest_displacement=0.1, closest=0.7),
)


@dataclass(frozen=True)
class GenerationSettings:
    """How diverse structures are made.

    Attributes
    ----------
    elements : tuple of str
        Each atom draws its element from these with equal chances.
    atomic_volume : float or None
        Ambient volume of an atom, Å³; from the elements' crystals where it is not given.
    smallest, largest : int
        The range of atom counts.
    maximised, minimised : Recipe
        How the structures of each half are made.
    cutoff, twojmax : float, int
        The descriptor whose entropy counts.
    minimisation : FireSettings
        The end of the way down.

    Raises
    ------
    InputError
        If a range is empty, or an element unknown.
    """

    elements: tuple[str, ...] = ("W",)
    atomic_volume: float | None = None
    smallest: int = 4
    largest: int = 60
    maximised: Recipe = WIDE
    minimised: Recipe = ORDERED
    cutoff: float = 4.73
    twojmax: int = 2
    minimisation: FireSettings = field(default_factory=FireSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if unknown or not self.elements:
            raise InputError(f"generating structures: unknown elements {unknown}; give chemical symbols")
        if not 2 <= self.smallest <= self.largest:
            raise InputError(
                f"generating structures: atom counts from {self.smallest} to {self.largest}; "
                "give 2 ≤ smallest ≤ largest (the entropy of one atom is not defined)"
            )
        if self.atomic_volume is not None and not 0 < self.atomic_volume < np.inf:
            raise InputError(f"generating structures: the atomic volume is {self.atomic_volume} Å³; give one above 0")
        if not self.cutoff > 0:
            raise InputError(f"generating structures: the cutoff is {self.cutoff} Å; give a positive number")

    def recipe(self, index: int) -> Recipe:
        """How the structure at ``index`` is made: even ones are maximised, odd ones minimised."""
        return self.maximised if index % 2 == 0 else self.minimised

    def annealed(self, annealing: AnnealingSchedule) -> GenerationSettings:
        """The same settings with another way down for both halves."""
        return replace(
            self,
            maximised=replace(self.maximised, annealing=annealing),
            minimised=replace(self.minimised, annealing=annealing),
        )

    @property
    def volume(self) -> float:
        """The ambient volume of an atom, Å³."""
        if self.atomic_volume is not None:
            return self.atomic_volume
        return float(np.mean([_crystal_volume(element) for element in self.elements]))

    @property
    def descriptor(self) -> Bispectrum:
        """The descriptor whose entropy counts."""
        return Bispectrum(self.elements, cutoff=self.cutoff, twojmax=self.twojmax)


def _crystal_volume(element: str) -> float:
    """Volume of an atom in the element's own crystal, Å³."""
    state = reference_states[atomic_numbers[element]] or {}
    atoms_a_cube = {"bcc": 2, "fcc": 4, "sc": 1, "diamond": 8}
    symmetry = str(state.get("symmetry"))
    if symmetry in atoms_a_cube:
        return float(state["a"]) ** 3 / atoms_a_cube[symmetry]
    if symmetry == "hcp":
        return float(np.sqrt(3) / 4 * float(state["a"]) ** 3 * float(state["c/a"]))
    raise InputError(
        f"generating structures: no ambient volume is on record for {element} ({symmetry}); give atomic_volume in Å³"
    )


def generate_structures(settings: GenerationSettings, indices: Sequence[int], seed: int) -> StructureBatch:
    """Make the structures ``indices`` of the set of ``seed``.

    Even indices maximise the entropy, odd ones minimise it.

    Parameters
    ----------
    settings : GenerationSettings
        How they are made.
    indices : sequence of int
        Which structures of the set.
    seed : int
        The seed of the set; structure ``i`` draws from the stream spawned from it by ``i``.

    Returns
    -------
    StructureBatch
        Without labels; groups ``entropy-maximised`` and ``entropy-minimised``.

    Examples
    --------
    >>> quick = GenerationSettings(largest=8).annealed(AnnealingSchedule(rounds=1, steps=2))
    >>> generate_structures(quick, [0, 1], seed=1).groups
    ('entropy-maximised', 'entropy-minimised')
    """
    # A structure's path is the same whatever is made beside it: the threads share out the structures.
    shares = np.array_split(np.asarray(indices), min(available_threads(), max(len(indices), 1)))
    with ThreadPoolExecutor(len(shares)) as pool:
        return StructureBatch.concatenate(pool.map(lambda share: _both_halves(settings, share, seed), shares))


def _both_halves(settings: GenerationSettings, indices: Int[np.ndarray, " structures"], seed: int) -> StructureBatch:
    """The structures at these indices in their order; each half goes its own way down."""
    halves = [indices[indices % 2 == parity] for parity in (0, 1)]
    made = StructureBatch.concatenate([_relaxed(settings, half.tolist(), seed) for half in halves if len(half)])
    return made.select(np.argsort(np.argsort(indices % 2, kind="stable"), kind="stable"))


def _relaxed(settings: GenerationSettings, indices: Sequence[int], seed: int) -> StructureBatch:
    drawn = draw_structures(settings, indices, seed)
    recipe, minimisation = settings.recipe(indices[0]), settings.minimisation
    forces = drawn.potential.forces_along(drawn.batch)
    batch = anneal(forces, drawn.batch, drawn.streams, recipe.annealing, minimisation.largest_move)
    batch = minimise(forces, batch, minimisation)
    batch = disturbed(batch, recipe.disturbance, settings.volume ** (1 / 3), drawn.streams)
    return replace(
        batch,
        groups=tuple(MAXIMISED if index % 2 == 0 else MINIMISED for index in indices),
        names=tuple(f"{index:07d}" for index in indices),
        origins=("generated",) * len(indices),
        seeds=np.full(len(indices), seed, dtype=np.int64),
    )


@dataclass(frozen=True, eq=False)
class DrawnStructures:
    """Random structures, cores apart, before they are relaxed under their entropy potentials.

    Attributes
    ----------
    batch : StructureBatch
        Where the atoms begin.
    potential : EntropyPotential
        What each structure goes by.
    streams : list of numpy.random.Generator
        What is left of each structure's random numbers.
    """

    batch: StructureBatch
    potential: EntropyPotential
    streams: list[np.random.Generator]


def draw_structures(settings: GenerationSettings, indices: Sequence[int], seed: int) -> DrawnStructures:
    """Draw cells, atoms and potentials of structures of one half, as :func:`generate_structures` does.

    Raises
    ------
    InputError
        If the indices are not all even (the maximised half) or all odd (the minimised one).
    """
    if len({index % 2 for index in indices}) != 1:
        raise InputError("drawing structures: the indices mix both halves; give even ones or odd ones")
    recipe, sign = settings.recipe(indices[0]), 1.0 if indices[0] % 2 == 0 else -1.0
    streams = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))) for index in indices]
    batch = _random_structures(settings, recipe, streams)
    weights = np.exp([stream.uniform(np.log(recipe.weakest), np.log(recipe.strongest)) for stream in streams])
    radii = np.array([stream.uniform(recipe.smallest_core, recipe.largest_core) for stream in streams])
    core = RepulsiveCore(radii * settings.volume ** (1 / 3), recipe.core_strength)
    batch = _without_overlaps(settings, batch, core)
    potential = EntropyPotential(settings.descriptor, reference_scale(settings), core, sign * weights)
    return DrawnStructures(batch, potential, streams)


@lru_cache
def reference_scale(settings: GenerationSettings) -> Float[np.ndarray, " features"]:
    """The spread of each descriptor over a fixed ensemble: random packings at ambient density, cores apart.

    It depends on the settings alone, not on the seed, so that all sets of one kind measure diversity alike.
    """
    packing = replace(settings.maximised, densest=1.0, loosest=1.0)
    ensemble = replace(settings, smallest=32, largest=32)
    streams = [np.random.default_rng(np.random.SeedSequence(0, spawn_key=(index,))) for index in range(48)]
    batch = _random_structures(ensemble, packing, streams)
    radius = packing.smallest_core * settings.volume ** (1 / 3)
    core = RepulsiveCore(np.full(len(batch), radius), packing.core_strength)
    return settings.descriptor.compute(_without_overlaps(ensemble, batch, core)).std(axis=0)


def _without_overlaps(settings: GenerationSettings, batch: StructureBatch, core: RepulsiveCore) -> StructureBatch:
    features = settings.descriptor.features
    core_alone = EntropyPotential(settings.descriptor, np.ones(features), core, np.zeros(len(batch)))
    return minimise(core_alone.forces_along(batch), batch, FireSettings(steps=25, largest_move=0.3))


def _random_structures(
    settings: GenerationSettings, recipe: Recipe, streams: Sequence[np.random.Generator]
) -> StructureBatch:
    cells, positions, species, sizes = [], [], [], []
    numbers = np.array([atomic_numbers[element] for element in settings.elements], dtype=np.int32)
    for stream in streams:
        size = int(stream.integers(settings.smallest, settings.largest + 1))
        volume = size * settings.volume * stream.uniform(recipe.densest, recipe.loosest)
        cell = random_cell(volume, stream)
        cells.append(cell)
        positions.append(stream.random((size, 3)) @ cell)
        species.append(stream.choice(numbers, size))
        sizes.append(size)
    return StructureBatch.from_arrays(np.concatenate(positions), np.stack(cells), np.concatenate(species), sizes)


def random_cell(volume: float, stream: np.random.Generator, flattest: float = 0.55) -> Float[np.ndarray, "3 3"]:
    """A random triclinic cell of a given volume, Å, no flatter than ``flattest`` of the cube's side.

    Edges differ by up to a factor of about two and tilts reach half an edge; a flatter draw is drawn again.
    """
    side = volume ** (1 / 3)
    while True:
        cell = np.diag(np.exp(stream.uniform(-0.35, 0.35, 3)))
        cell[1, 0], cell[2, 0], cell[2, 1] = stream.uniform(-0.5, 0.5, 3)
        cell *= side / np.linalg.det(cell) ** (1 / 3)
        heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        if heights.min() >= flattest * side:
            return cell
