"""Swaps of unlike atoms: their energies, and the distribution that they keep."""

from itertools import combinations

import numpy as np
import pytest

from glassy_cells import random_structure
from mechlearn.errors import InputError
from mechlearn.glasses.quench.swaps import swap_unlike_atoms
from mechlearn.interactions import kob_andersen, read_eam
from mechlearn.structures import StructureBatch

POTENTIALS = {"eam/fs": "CuZr_mm.eam.fs", "eam/alloy": "AlCu.eam.alloy", "pairs": None}


@pytest.fixture(scope="module", params=POTENTIALS)
def potential(request):
    file = POTENTIALS[request.param]
    return kob_andersen() if file is None else read_eam(file)


@pytest.fixture(scope="module")
def structure(potential):
    volume = 0.9 if "Ni" in potential.elements else 17.0
    return random_structure(potential.elements, 60, volume, np.random.default_rng(1))


def test_energies_of_swaps_add_up_to_what_the_potential_says(potential, structure):
    # Cells narrower than the cutoff: atoms have their own images and several of others among their neighbours.
    swapped = swap_unlike_atoms(potential, structure, 2.0, trials=500, seed=3)
    before, after = (potential.evaluate(batch).energies[0] for batch in (structure, swapped.structure))
    assert swapped.accepted > 10
    assert not np.array_equal(swapped.structure.species, structure.species)
    np.testing.assert_array_equal(np.sort(swapped.structure.species), np.sort(structure.species))
    assert swapped.energy == pytest.approx(after - before, abs=1e-9)
    np.testing.assert_array_equal(swapped.structure.positions, structure.positions)


def test_swaps_keep_the_distribution_of_boltzmann():
    # Six of one and three of another element on nine places: 84 arrangements, each with a weight that is known.
    potential = read_eam("CuZr_mm.eam.fs")
    places = random_structure(("Cu", "Zr"), 9, 17.0, np.random.default_rng(5))
    arrangements = [np.isin(np.arange(9), chosen) for chosen in combinations(range(9), 3)]
    batches = [with_species(places, np.where(chosen, 40, 29)) for chosen in arrangements]
    energies = potential.evaluate(StructureBatch.concatenate(batches)).energies
    thermal = float(np.std(energies))
    weights = np.exp(-(energies - energies.min()) / thermal)
    expected = weights / weights.sum()
    visits = np.zeros(len(arrangements))
    place_of = {chosen.tobytes(): place for place, chosen in enumerate(arrangements)}
    now, rounds = batches[0], 1500
    for seed in range(rounds):
        now = swap_unlike_atoms(potential, now, thermal, trials=20, seed=seed).structure
        visits[place_of[(now.species == 40).tobytes()]] += 1
    assert np.abs(expected - 1 / len(expected)).sum() > 0.3
    # Rounds are nearly independent; χ² of 83 degrees of freedom is above 133 once in 2,000 times.
    spread = np.square(visits - rounds * expected) / (rounds * expected)
    assert spread[expected * rounds > 5].sum() < 133


def test_the_same_seed_makes_the_same_swaps(potential, structure):
    one, same, other = (
        swap_unlike_atoms(potential, structure, 1.0, trials=300, seed=seed).structure.species for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_nothing_to_swap_and_no_temperature():
    potential = kob_andersen()
    alike = random_structure(("Ni",), 20, 0.9, np.random.default_rng(0))
    with pytest.raises(InputError, match="all atoms are of one element"):
        swap_unlike_atoms(potential, alike, 1.0, trials=10)
    with pytest.raises(InputError, match="give positive numbers"):
        swap_unlike_atoms(potential, alike, 0.0, trials=10)


def with_species(batch, species):
    return StructureBatch.from_arrays(batch.positions, batch.cells, species, [batch.atoms])
