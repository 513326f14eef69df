"""Expert structures: what each group must look like, and that dynamics is thermal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import Evaluation
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.sampling.expert import EXPERT_GROUPS, apportioned, expert_structures
from mechlearn.sampling.expert_crystal import Crystal, closest_pair
from mechlearn.sampling.expert_disorder import random_packing
from mechlearn.sampling.expert_dynamics import LangevinSettings, Ramp, langevin, pushed_apart
from mechlearn.sampling.expert_perfect import EQUATION_LATTICES, hot_crystal, lattice_at_volume
from mechlearn.sampling.expert_planes import (
    FAULT_DISTANCE,
    PLANES,
    VACUUM,
    Plane,
    glide_planes,
    ideal_surface,
    stacking_fault,
)
from mechlearn.sampling.expert_points import ideal_interstitial, interstitial_kinds
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs
from mechlearn.units import BOLTZMANN

TUNGSTEN = Crystal.of("W")
METALS = [TUNGSTEN, Crystal.of("Cu"), Crystal.of("Mg")]


@pytest.fixture(scope="module")
def eam() -> LammpsPotential:
    return LammpsPotential.from_files("W_zhou.eam.alloy", elements=("W",))


def coordination(atoms: Atoms, cutoff: float) -> np.ndarray:
    """The number of neighbours of each atom."""
    return np.diff(neighbour_pairs(StructureBatch.from_atoms([atoms]), cutoff).starts)


def energy(atoms: Atoms, potential: LammpsPotential) -> float:
    return float(potential.evaluate(StructureBatch.from_atoms([atoms])).energies[0])


# ---------------------------------------------------------------------- the crystal


def test_tungsten_is_what_handbooks_say() -> None:
    assert TUNGSTEN.lattice == "bcc"
    assert TUNGSTEN.nearest_neighbour == pytest.approx(2.737, abs=1e-3)
    assert TUNGSTEN.volume_per_atom == pytest.approx(15.78, abs=0.01)
    # The mean phonon frequency of tungsten is about 5 THz.
    assert 4 < TUNGSTEN.frequency / (2 * np.pi) < 7


@pytest.mark.parametrize("crystal", METALS, ids=lambda crystal: crystal.lattice)
def test_nearest_neighbour_is_the_distance_in_the_cell(crystal: Crystal) -> None:
    assert closest_pair(crystal.supercell(), 5.0) == pytest.approx(crystal.nearest_neighbour)
    assert crystal.supercell().cell.volume / len(crystal.supercell()) == pytest.approx(crystal.volume_per_atom)


def test_lattice_constant_is_relaxed_with_the_potential(eam: LammpsPotential) -> None:
    relaxed = Crystal.of("W", potential=eam)
    assert relaxed.lattice_constant == pytest.approx(3.1649, abs=1e-3)
    step = 1e-3 * relaxed.lattice_constant
    near = [replace(relaxed, lattice_constant=relaxed.lattice_constant + shift) for shift in (-step, 0.0, step)]
    below, here, above = (energy(crystal.primitive(), eam) for crystal in near)
    assert here < min(below, above)


def test_another_lattice_keeps_the_atomic_volume_as_a_guess(eam: LammpsPotential) -> None:
    assert Crystal.of("W", lattice="fcc", potential=eam).volume_per_atom == pytest.approx(16.0, rel=0.12)
    assert Crystal.of("W", lattice="hcp", lattice_constant=2.8).axial_ratio == pytest.approx(np.sqrt(8 / 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"element": "Xx"}, "no chemical symbol"),
        ({"element": "Si"}, "its crystal is diamond"),
        ({"element": "W", "lattice": "cubic"}, "its crystal is cubic"),
        ({"element": "W", "lattice": "fcc"}, "not fcc in nature"),
        ({"element": "W", "lattice_constant": -3.0}, "lattice_constant is -3.0"),
        ({"element": "W", "melting_temperature": 0.0}, "melting_temperature is 0.0"),
        ({"element": "Eu"}, "no melting point is on record"),
    ],
)
def test_a_crystal_that_cannot_be_built_says_why(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Crystal.of(**arguments)


def test_a_potential_for_another_element_says_so(eam: LammpsPotential) -> None:
    with pytest.raises(InputError, match="the potential knows only W"):
        Crystal.of("Mo", potential=eam)


def test_directions_off_the_lattice_are_refused() -> None:
    with pytest.raises(InputError, match="right-handed vectors of the lattice"):
        TUNGSTEN.oriented(np.diag([0.5, 1.0, 1.0]))
    with pytest.raises(InputError, match="right-handed vectors of the lattice"):
        TUNGSTEN.oriented(np.diag([-1.0, 1.0, 1.0]))


# ---------------------------------------------------------------------- perfect crystals


@pytest.mark.parametrize(
    ("lattice", "neighbours", "bond"),
    [("bcc", 8, 1.0), ("fcc", 12, 1.029), ("hcp", 12, 1.029), ("sc", 6, 0.92), ("diamond", 4, 0.92)],
)
def test_lattices_of_the_equation_of_state(lattice: str, neighbours: int, bond: float) -> None:
    atoms = lattice_at_volume(TUNGSTEN, lattice, 1.0)
    expected = bond * TUNGSTEN.nearest_neighbour
    assert closest_pair(atoms, 5.0) == pytest.approx(expected, rel=2e-3)
    assert set(coordination(atoms, 1.05 * expected)) == {neighbours}


def test_a15_has_chains_and_icosahedra() -> None:
    atoms = lattice_at_volume(TUNGSTEN, "A15", 1.0)
    side = atoms.cell.lengths()[0]
    counts = coordination(atoms, 0.63 * side)
    assert sorted(counts) == [12] * 2 + [14] * 6


@pytest.mark.parametrize("lattice", EQUATION_LATTICES)
def test_volume_ratio_is_the_ratio_of_volumes(lattice: str) -> None:
    small, large = (lattice_at_volume(TUNGSTEN, lattice, ratio) for ratio in (0.7, 1.4))
    assert large.cell.volume / small.cell.volume == pytest.approx(2.0)


def test_energy_is_least_in_bcc_at_the_reference_volume(eam: LammpsPotential) -> None:
    crystal = Crystal.of("W", potential=eam)
    ratios = np.linspace(0.9, 1.1, 21)
    energies = [energy(lattice_at_volume(crystal, "bcc", ratio), eam) / 2 for ratio in ratios]
    assert ratios[np.argmin(energies)] == pytest.approx(1.0)
    others = [lattice_at_volume(crystal, name, 1.0) for name in EQUATION_LATTICES if name != "bcc"]
    assert min(energies) < min(energy(atoms, eam) / len(atoms) for atoms in others)


def test_strains_stay_within_a_tenth() -> None:
    batch = expert_structures("W", 60, groups=["strained"])
    cells = np.where(batch.sizes[:, None, None] == 8, 0.5, 1.0) * batch.cells
    strain = np.linalg.inv(TUNGSTEN.primitive().cell.array) @ cells - np.eye(3)
    assert np.abs(strain).max() <= 0.1
    assert np.abs(strain).max() > 0.05
    np.testing.assert_allclose(strain, np.swapaxes(strain, 1, 2), atol=1e-12)


# ---------------------------------------------------------------------- point defects


@pytest.mark.parametrize(
    ("crystal", "cutoff", "neighbours"), [(METALS[0], 1.05, 8), (METALS[1], 1.2, 12)], ids=["bcc", "fcc"]
)
def test_a_vacancy_takes_one_neighbour_from_each_atom_around_it(
    crystal: Crystal, cutoff: float, neighbours: int
) -> None:
    counts = coordination(crystal.supercell()[1:], cutoff * crystal.nearest_neighbour)
    assert (counts == neighbours - 1).sum() == neighbours
    assert (counts == neighbours).sum() == len(counts) - neighbours


@pytest.mark.parametrize(
    ("group", "atoms"), [("vacancy", 53), ("divacancy", 52), ("interstitial", 55), ("crystal_dynamics", 54)]
)
def test_defects_have_so_many_atoms(group: str, atoms: int) -> None:
    batch = expert_structures("W", 12, groups=[group])
    assert set(batch.sizes.tolist()) == {atoms}


def test_divacancies_are_first_to_third_neighbours() -> None:
    batch = expert_structures("W", 40, groups=["divacancy"])
    assert {name.split()[1] for name in batch.names} == {"1", "2", "3"}


@pytest.mark.parametrize("crystal", METALS, ids=lambda crystal: crystal.lattice)
def test_interstitial_sites_are_holes_of_the_lattice(crystal: Crystal) -> None:
    perfect = len(crystal.supercell())
    for kind in interstitial_kinds(crystal):
        atoms = ideal_interstitial(crystal, kind)
        assert len(atoms) == perfect + 1
        distance = np.sort(atoms.get_distances(perfect, range(perfect), mic=True)) / crystal.nearest_neighbour
        if kind == "octahedral":
            around = 2 if crystal.lattice == "bcc" else 6
        elif kind == "tetrahedral":
            around = 4
        else:
            continue
        assert np.ptp(distance[:around]) < 0.03, kind
        assert distance[around] > 1.05 * distance[around - 1], kind


def test_interstitials_come_in_every_kind_and_keep_apart() -> None:
    batch = expert_structures("W", 40, groups=["interstitial"])
    assert {name.split()[0] for name in batch.names} == set(interstitial_kinds(TUNGSTEN))
    shortest = min(closest_pair(atoms, 3.0) for atoms in batch.to_atoms())
    assert shortest > 0.75 * TUNGSTEN.nearest_neighbour


# ---------------------------------------------------------------------- planes


@pytest.mark.parametrize("crystal", METALS, ids=lambda crystal: crystal.lattice)
def test_blocks_are_perfect_crystals_and_slabs_have_vacuum(crystal: Crystal) -> None:
    reach = 1.05 * crystal.nearest_neighbour
    bulk_coordination = coordination(crystal.supercell(), reach).max()
    for plane in PLANES[crystal.lattice]:
        block, slab = plane.block(crystal), ideal_surface(crystal, plane)
        assert set(coordination(block, reach)) == {bulk_coordination}, plane.name
        assert np.abs(block.cell.array[2, :2]).max() < 1e-9, plane.name
        assert len(slab) == len(block) <= 12
        heights = slab.positions[:, 2]
        assert slab.cell.array[2, 2] - np.ptp(heights) == pytest.approx(VACUUM), plane.name
        missing = coordination(slab, reach) < bulk_coordination
        assert missing[[np.argmin(heights), np.argmax(heights)]].all(), plane.name
        assert not missing.all(), plane.name


def test_the_close_packed_surface_costs_least(eam: LammpsPotential) -> None:
    crystal = Crystal.of("W", potential=eam)
    costs = {}
    for plane in PLANES["bcc"]:
        slab = ideal_surface(crystal, plane)
        area = np.linalg.norm(np.cross(*slab.cell.array[:2]))
        costs[plane.name] = (energy(slab, eam) - energy(plane.block(crystal), eam)) / (2 * area)
    assert min(costs, key=lambda name: costs[name]) == "110"
    assert all(0.1 < cost < 0.3 for cost in costs.values()), costs  # 1.6 to 4.8 J/m²


@pytest.mark.parametrize("plane", glide_planes(TUNGSTEN), ids=lambda plane: plane.name)
def test_gamma_surface_is_periodic_and_costs_energy(plane: Plane, eam: LammpsPotential) -> None:
    crystal = Crystal.of("W", potential=eam)

    def cost(first: float, second: float) -> float:
        return energy(stacking_fault(crystal, plane, np.array([first, second])), eam)

    none = cost(0.0, 0.0)
    assert none == pytest.approx(energy(plane.block(crystal), eam))
    assert cost(1.0, 0.0) == pytest.approx(none)
    assert cost(1.0, -2.0) == pytest.approx(none)
    assert cost(0.3, 0.4) == pytest.approx(cost(-0.7, 1.4))
    assert cost(0.3, 0.4) > none + 0.1
    assert cost(0.5, 0.5) > none - 1e-9


@given(first=st.floats(0, 1), second=st.floats(0, 1), which=st.integers(0, 1))
def test_a_fault_opens_until_its_atoms_have_room(first: float, second: float, which: int) -> None:
    fault = stacking_fault(TUNGSTEN, glide_planes(TUNGSTEN)[which], np.array([first, second]))
    assert closest_pair(fault, 3.0) >= FAULT_DISTANCE * TUNGSTEN.nearest_neighbour
    assert fault.cell.volume / len(fault) < 1.12 * TUNGSTEN.volume_per_atom


def test_gamma_surface_with_a_vacancy_is_four_blocks_less_an_atom() -> None:
    assert set(expert_structures("W", 10, groups=["gamma_surface_vacancy"]).sizes.tolist()) == {47}


# ---------------------------------------------------------------------- disorder and heat


def test_a_packing_keeps_its_atoms_apart() -> None:
    atoms = random_packing(TUNGSTEN, 1.05, 0.9, np.random.default_rng(0))
    assert closest_pair(atoms, 3.0) >= 0.9 * TUNGSTEN.nearest_neighbour * 0.97
    assert atoms.cell.volume / 54 == pytest.approx(1.05 * TUNGSTEN.volume_per_atom, rel=0.1)
    # No lattice is left: the numbers of near neighbours are many.
    assert len(set(coordination(atoms, 1.3 * TUNGSTEN.nearest_neighbour))) > 3


def test_atoms_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(WorkError, match="give them more volume"):
        pushed_apart(TUNGSTEN.supercell(), 1.4 * TUNGSTEN.nearest_neighbour)


class Springs:
    """Every atom held to its place by a spring: the motion of each is known."""

    elements: tuple[str, ...] = ()

    def __init__(self, home: StructureBatch, stiffness: float) -> None:
        self.home, self.stiffness = home.positions, stiffness

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        away = batch.positions - self.home
        energies = 0.5 * self.stiffness * np.bincount(batch.structure_of_atom, (away**2).sum(axis=1))
        return Evaluation(energies, -self.stiffness * away, np.full((len(batch), 6), np.nan))


def test_langevin_samples_the_harmonic_well() -> None:
    temperature = 1000.0
    home = StructureBatch.from_atoms([TUNGSTEN.supercell()] * 20)
    springs = Springs(home, TUNGSTEN.mass * TUNGSTEN.frequency**2)
    rngs = [np.random.default_rng(index) for index in range(20)]
    ramps = [Ramp(temperature, temperature)] * 20
    moved = langevin(home, ramps, TUNGSTEN, springs, rngs, LangevinSettings(steps=300))
    energies = springs.evaluate(moved).energies / moved.sizes
    # 3,240 degrees of freedom: one standard deviation of the mean is 2.5%.
    assert energies.mean() == pytest.approx(1.5 * BOLTZMANN * temperature, rel=0.08)


def test_a_ramp_ends_at_its_last_temperature() -> None:
    home = StructureBatch.from_atoms([TUNGSTEN.supercell()] * 8)
    springs = Springs(home, TUNGSTEN.mass * TUNGSTEN.frequency**2)
    rngs = [np.random.default_rng(index) for index in range(8)]
    cooled = langevin(home, [Ramp(3000.0, 0.0)] * 8, TUNGSTEN, springs, rngs, LangevinSettings(400, friction=0.5))
    energies = springs.evaluate(cooled).energies / cooled.sizes
    assert energies.mean() < 0.1 * 1.5 * BOLTZMANN * 3000


def test_dynamics_in_a_real_potential_is_thermal(eam: LammpsPotential) -> None:
    crystal = Crystal.of("W", potential=eam)
    rng = np.random.default_rng(0)
    start = StructureBatch.from_atoms([hot_crystal(crystal, 600.0, rng) for _ in range(6)])
    rngs = [np.random.default_rng(index) for index in range(6)]
    moved = langevin(start, [Ramp(600.0, 600.0)] * 6, crystal, eam, rngs, LangevinSettings(steps=60))
    above = (eam.evaluate(moved).energies / 54 - energy(crystal.primitive(), eam)).mean()
    assert above == pytest.approx(1.5 * BOLTZMANN * 600, rel=0.2)


def test_a_potential_that_throws_atoms_is_an_error() -> None:
    home = StructureBatch.from_atoms([TUNGSTEN.supercell()])
    with pytest.raises(WorkError, match="flew apart at step"):
        langevin(home, [Ramp(300.0, 300.0)], TUNGSTEN, Springs(home, -1e6), [np.random.default_rng(0)])


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"timestep": 0.0}, {"friction": -1.0}])
def test_dynamics_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="setting up Langevin dynamics"):
        LangevinSettings(**wrong)


# ---------------------------------------------------------------------- the set


@pytest.mark.parametrize("element", ["W", "Cu", "Mg", "Fe", "Ti"])
def test_every_group_that_suits_the_lattice_is_there_and_sane(element: str) -> None:
    crystal = Crystal.of(element)
    batch = expert_structures(element, 40, seed=4)
    suited = {name for name, group in EXPERT_GROUPS.items() if crystal.lattice in group.lattices}
    assert set(batch.groups) == suited
    assert ("dislocation_quadrupole" in suited) == (crystal.lattice == "bcc")
    assert batch.elements == (element,)
    assert batch.sizes.max() <= 135
    assert np.isnan(batch.energies).all()
    assert all(batch.names)
    assert set(batch.origins) == {"expert"}
    shortest = [closest_pair(atoms, 4.0) for atoms in batch.to_atoms()]
    assert min(shortest) > 0.65 * crystal.nearest_neighbour


def test_shares_follow_the_tungsten_set() -> None:
    groups = expert_structures("W", 300).groups
    assert groups.count("gamma_surface") > 160
    assert groups.count("strained") > 45
    assert min(groups.count(name) for name in EXPERT_GROUPS) >= 2


def test_any_part_of_a_set_is_the_set() -> None:
    whole = expert_structures("W", 50, seed=7)
    part = expert_structures("W", 50, seed=7, indices=[49, 3, 20])
    chosen = whole.select([49, 3, 20])
    np.testing.assert_array_equal(part.positions, chosen.positions)
    np.testing.assert_array_equal(part.cells, chosen.cells)
    assert (part.groups, part.names, part.seeds.tolist()) == (
        chosen.groups,
        chosen.names,
        chosen.seeds.tolist(),
    )
    assert len(set(whole.seeds.tolist())) == 50
    other = expert_structures("W", 50, seed=8)
    assert not set(other.seeds.tolist()) & set(whole.seeds.tolist())


def test_any_part_is_the_set_with_dynamics_too(eam: LammpsPotential) -> None:
    groups = ["crystal_dynamics", "liquid", "amorphous", "vacancy"]
    brief = LangevinSettings(steps=5)
    whole = expert_structures("W", 8, groups=groups, potential=eam, dynamics=brief)
    part = expert_structures("W", 8, groups=groups, potential=eam, dynamics=brief, indices=[2, 5])
    np.testing.assert_array_equal(part.positions, whole.select([2, 5]).positions)
    still = expert_structures("W", 8, groups=groups, lattice_constant=Crystal.of("W", potential=eam).lattice_constant)
    moved = {
        group
        for index, group in enumerate(whole.groups)
        if not np.allclose(whole.select([index]).positions, still.select([index]).positions)
    }
    assert moved == {"crystal_dynamics", "liquid", "amorphous"}


def test_shares_can_be_given() -> None:
    groups = expert_structures("W", 20, groups={"vacancy": 3.0, "surface": 1.0}).groups
    assert (groups.count("vacancy"), groups.count("surface")) == (15, 5)


@given(shares=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12), count=st.integers(1, 500))
def test_apportioning_adds_up_and_forgets_no_group(shares: list[float], count: int) -> None:
    counts = apportioned(shares, count)
    assert sum(counts) == count
    assert min(counts) >= (1 if count >= len(shares) else 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count 0"),
        ({"seed": -1}, "seed -1"),
        ({"groups": ["gamma-surface"]}, "did you mean 'gamma_surface'"),
        ({"groups": []}, "give positive numbers"),
        ({"groups": {"vacancy": -1.0}}, "give positive numbers"),
        ({"element": "Cu", "groups": ["dislocation_quadrupole"]}, "for bcc only"),
        ({"indices": [5]}, r"outside 0 … 4"),
    ],
)
def test_a_set_that_cannot_be_built_says_why(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        expert_structures(**{"element": "W", "count": 5, **arguments})
