"""Expert-curated training structures, built where a user gives none.

The groups and their shares follow the tungsten set of Wood & Thompson (arXiv:1702.07042) and Wood, Cusentino,
Wirth & Thompson, Phys. Rev. B 99, 184305 (2019), most of which goes back to Szlachta, Bartók & Csányi, Phys.
Rev. B 90, 104108 (2014): counted over its 8,909 pure-tungsten structures, with a floor of 0.5% so that no
group is lost in a small set.  Given a potential, crystals at temperatures, liquids and glasses come from
Langevin dynamics; without one, the crystals are rattled harmonically and liquids and glasses are packings
of soft spheres.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

import numpy as np
from ase import Atoms

from mechlearn.errors import InputError
from mechlearn.interactions import Potential
from mechlearn.sampling.expert_crystal import Crystal, Lattice
from mechlearn.sampling.expert_dislocation import dislocation_quadrupole
from mechlearn.sampling.expert_disorder import amorphous, liquid
from mechlearn.sampling.expert_dynamics import LangevinSettings, Ramp, langevin
from mechlearn.sampling.expert_perfect import equation_of_state, hot_crystal, strained_crystal
from mechlearn.sampling.expert_planes import gamma_surface, gamma_surface_vacancy, surface
from mechlearn.sampling.expert_points import divacancy, interstitial, vacancy
from mechlearn.structures import StructureBatch

_ALL: Final = frozenset[Lattice]({"bcc", "fcc", "hcp"})

#: The least share of a group, before shares are normalised.
SMALLEST_SHARE: Final = 0.005

#: Temperatures of the crystals, over the melting point; 300, 920, 1850, 2800 and 3500 K in tungsten.
CRYSTAL_TEMPERATURES: Final = (0.08, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Draft:
    """A structure, and the temperatures that dynamics takes it through where there is a potential."""

    atoms: Atoms
    ramp: Ramp | None = None


@dataclass(frozen=True)
class ExpertGroup:
    """One group of an expert set.

    Attributes
    ----------
    name, description : str
    tungsten_count : int
        How many of the 8,909 structures of the tungsten set are of this kind; 0 where it has none.
    draft : function of a crystal and random numbers
        Gives one structure.
    lattices : set
        The lattices for which the group makes sense.
    """

    name: str
    description: str
    tungsten_count: int
    draft: Callable[[Crystal, np.random.Generator], Draft]
    lattices: frozenset[Lattice] = _ALL

    @property
    def share(self) -> float:
        """This group's share of a set, before shares are normalised."""
        return max(self.tungsten_count / 8909, SMALLEST_SHARE)


def _still(build: Callable[[Crystal, np.random.Generator], Atoms]) -> Callable[..., Draft]:
    """A draft that dynamics leaves alone."""
    return lambda crystal, rng: Draft(build(crystal, rng))


def _crystal_dynamics(crystal: Crystal, rng: np.random.Generator) -> Draft:
    temperature = float(rng.choice(CRYSTAL_TEMPERATURES)) * crystal.melting_temperature
    return Draft(hot_crystal(crystal, temperature, rng), Ramp(temperature, temperature))


def _liquid_dynamics(crystal: Crystal, rng: np.random.Generator) -> Draft:
    temperature = rng.uniform(1.05, 1.6) * crystal.melting_temperature
    return Draft(liquid(crystal, rng), Ramp(temperature, temperature))


def _quench_dynamics(crystal: Crystal, rng: np.random.Generator) -> Draft:
    end = rng.uniform(0.02, 0.15) * crystal.melting_temperature
    return Draft(amorphous(crystal, rng), Ramp(1.3 * crystal.melting_temperature, end))


_BCC: Final = frozenset[Lattice]({"bcc"})

#: Every group, by name.
EXPERT_GROUPS: Final[dict[str, ExpertGroup]] = {
    group.name: group
    for group in (
        ExpertGroup("strained", "crystals under random strains", 1800, _still(strained_crystal)),
        ExpertGroup("equation_of_state", "six lattices over volume", 113, _still(equation_of_state)),
        ExpertGroup("vacancy", "one atom missing", 378, _still(vacancy)),
        ExpertGroup("divacancy", "two near atoms missing", 35, _still(divacancy)),
        ExpertGroup("interstitial", "one atom too many", 15, _still(interstitial)),
        ExpertGroup("surface", "slabs under vacuum", 162, _still(surface)),
        ExpertGroup("gamma_surface", "crystals slipped along a plane", 5565, _still(gamma_surface)),
        ExpertGroup("gamma_surface_vacancy", "the same with a vacancy", 675, _still(gamma_surface_vacancy)),
        ExpertGroup("dislocation_quadrupole", "screw cores", 88, _still(dislocation_quadrupole), _BCC),
        ExpertGroup("crystal_dynamics", "crystals at temperatures up to melting", 54, _crystal_dynamics),
        ExpertGroup("liquid", "melts", 24, _liquid_dynamics),
        ExpertGroup("amorphous", "quenched melts", 0, _quench_dynamics),
    )
}


def expert_structures(
    element: str,
    count: int,
    *,
    lattice_constant: float | None = None,
    crystal: str | None = None,
    melting_temperature: float | None = None,
    groups: Sequence[str] | Mapping[str, float] | None = None,
    potential: Potential | None = None,
    dynamics: LangevinSettings = LangevinSettings(),  # noqa: B008 - frozen
    seed: int = 0,
    indices: Sequence[int] | None = None,
) -> StructureBatch:
    """Build the expert-curated set of an element, without labels.

    The random numbers of a structure come from the set's seed and the structure's index alone, so that any
    part of the set, built anywhere, is the same; ``seeds`` records them.

    Parameters
    ----------
    element : str
        Chemical symbol of a bcc, fcc or hcp metal.
    count : int
        Number of structures of the whole set.
    lattice_constant : float, optional
        Å; by default where ``potential`` has its minimum, or the measured one without a potential.
    crystal : "bcc", "fcc" or "hcp", optional
        By default the element's own.
    melting_temperature : float, optional
        K, the unit of all temperatures; by default the measured one.
    groups : names, or a mapping from names to shares, optional
        By default all of :data:`EXPERT_GROUPS` that make sense for the lattice.
    potential : Potential, optional
        Runs the dynamics of crystals, liquids and glasses.
    dynamics : LangevinSettings, optional
    seed : int
    indices : sequence of int, optional
        Build only these structures of the set.

    Raises
    ------
    InputError
        If there is nothing of that name to build.
    WorkError
        If dynamics with the potential fails.

    Examples
    --------
    >>> batch = expert_structures("W", 24, seed=1)
    >>> len(batch), len(set(batch.groups)), batch.groups.count("gamma_surface")
    (24, 12, 9)
    >>> part = expert_structures("W", 24, seed=1, indices=[3, 17])
    >>> bool((part.positions == batch.select([3, 17]).positions).all())
    True
    """
    if count < 1 or seed < 0:
        raise InputError(f"building an expert set: count {count}, seed {seed}; give at least one, and no negative seed")
    metal = Crystal.of(
        element,
        lattice=crystal,
        lattice_constant=lattice_constant,
        melting_temperature=melting_temperature,
        potential=potential,
    )
    shares = _group_shares(groups, metal)
    owners = np.repeat(list(shares), apportioned(list(shares.values()), count))
    chosen = range(count) if indices is None else indices
    if any(not 0 <= index < count for index in chosen):
        raise InputError(f"building an expert set: an index lies outside 0 … {count - 1}; give indices of the set")
    seeds = [structure_seed(seed, index) for index in chosen]
    rngs = [np.random.default_rng(value) for value in seeds]
    drafts = [EXPERT_GROUPS[owners[index]].draft(metal, rng) for index, rng in zip(chosen, rngs, strict=True)]
    batch = replace(
        StructureBatch.from_atoms([draft.atoms for draft in drafts], origin="expert"),
        groups=tuple(str(owners[index]) for index in chosen),
        seeds=np.array(seeds, dtype=np.int64),
    )
    return batch if potential is None else _heated(batch, drafts, metal, potential, rngs, dynamics)


def structure_seed(seed: int, index: int) -> int:
    """The seed of the structure at an index, spawned from the set's."""
    state = np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def apportioned(shares: Sequence[float], count: int) -> list[int]:
    """Split a count by shares: one each where the count allows it, the rest by largest remainders.

    Examples
    --------
    >>> apportioned([0.9, 0.05, 0.05], 10)
    [7, 2, 1]
    """
    least = 1 if count >= len(shares) else 0
    quotas = np.array(shares, dtype=np.float64) / np.sum(shares) * (count - least * len(shares))
    counts = np.floor(quotas).astype(int)
    largest = np.argsort(counts - quotas, kind="stable")[: count - least * len(shares) - int(counts.sum())]
    counts[largest] += 1
    return [int(number) + least for number in counts]


def _group_shares(groups: Sequence[str] | Mapping[str, float] | None, metal: Crystal) -> dict[str, float]:
    """The share of each group asked for, checked against the registry and the lattice."""
    if groups is None:
        return {name: group.share for name, group in EXPERT_GROUPS.items() if metal.lattice in group.lattices}
    doing = f"building an expert set of {metal.lattice} {metal.element}"
    names = [groups] if isinstance(groups, str) else list(groups)
    for name in names:
        if name not in EXPERT_GROUPS:
            nearest = get_close_matches(name, EXPERT_GROUPS, n=1, cutoff=0.0)[0]
            raise InputError(f"{doing}: there is no group {name!r}; did you mean {nearest!r}?")
        if metal.lattice not in EXPERT_GROUPS[name].lattices:
            suited = ", ".join(sorted(EXPERT_GROUPS[name].lattices))
            raise InputError(f"{doing}: the group {name!r} is for {suited} only; leave it out")
    shares = {name: float(groups[name]) if isinstance(groups, Mapping) else EXPERT_GROUPS[name].share for name in names}
    if not shares or not all(np.isfinite(share) and share > 0 for share in shares.values()):
        raise InputError(f"{doing}: the shares of the groups are {shares}; give positive numbers")
    return shares


def _heated(
    batch: StructureBatch,
    drafts: Sequence[Draft],
    metal: Crystal,
    potential: Potential,
    rngs: Sequence[np.random.Generator],
    dynamics: LangevinSettings,
) -> StructureBatch:
    """The batch with those structures that have a temperature ramp taken through it."""
    hot = [index for index, draft in enumerate(drafts) if draft.ramp is not None]
    ramps = [ramp for draft in drafts if (ramp := draft.ramp) is not None]
    moved = langevin(batch.select(hot), ramps, metal, potential, [rngs[index] for index in hot], dynamics)
    rows = np.isin(batch.structure_of_atom, hot)
    positions = batch.positions.copy()
    positions[rows] = moved.positions
    return replace(batch, positions=positions)
