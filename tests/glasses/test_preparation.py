"""Glasses out of the melt: what they hold, what they depend on, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal

from mechlearn.engines.lammps import lammps_session
from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.quench.crystallinity import crystalline_atoms, refuse_crystals
from mechlearn.glasses.quench.glass_recipe import GlassRecipe, Liquid, Quench, Swaps, percentages
from mechlearn.glasses.quench.preparation import _fill, _swap, prepare_glass, prepare_glasses
from mechlearn.interactions import LammpsPotential, acting_in_lammps
from mechlearn.records import read_json
from mechlearn.structures import StructureBatch

#: Hotter and faster than any that means something.
HASTY = GlassRecipe(
    atoms=230,
    liquid=Liquid(5000.0, 0.6),
    quench=Quench(2e16, window=(4000.0, 1000.0), fast_rate=4e16),
    swaps=Swaps(per_atom=5.0, every=20),
)
HASTY_MIXTURE = replace(GlassRecipe.kob_andersen(160), liquid=Liquid(6.0, 0.5), quench=Quench(60.0, 0.05, None))


@pytest.fixture(scope="module")
def glass():
    return prepare_glass(HASTY, seed=3, index=5)


def test_a_glass_is_at_a_minimum_of_the_energy_that_lammps_knows(glass):
    structure = glass.structure
    evaluation = LammpsPotential.from_files("CuZr_mm.eam.fs", elements=("Cu", "Zr")).evaluate(structure)
    assert np.abs(evaluation.forces).max() < 2e-6
    assert glass.largest_force <= 1e-6
    assert structure.energies[0] == pytest.approx(evaluation.energies[0], rel=1e-10)
    np.testing.assert_allclose(structure.stresses, evaluation.stresses, atol=1e-8)


def test_a_glass_has_its_composition_and_says_where_it_comes_from(glass):
    structure = glass.structure
    symbols = [atom.symbol for atom in structure.to_atoms()[0]]
    assert (symbols.count("Cu"), symbols.count("Zr")) == (147, 83)
    assert structure.names == ("specimen-0005",)
    assert structure.groups == ("Cu64Zr36",)
    assert "CuZr_mm.eam.fs" in structure.origins[0]
    assert structure.seeds.tolist() == [3]


def test_a_glass_may_end_at_a_pressure():
    glass = prepare_glass(replace(HASTY_MIXTURE, pressure_at_rest=0.5), seed=1, index=0)
    assert glass.structure.stresses[0, :3].mean() == pytest.approx(-0.5, abs=1e-7)


def test_it_flowed_swapped_and_did_not_crystallise(glass):
    assert glass.flow > 1
    assert 0 < glass.swapped < 1
    assert glass.crystalline_share < 0.02


def test_a_specimen_depends_on_seed_and_index_alone_and_a_set_goes_on(tmp_path):
    alone = prepare_glass(HASTY_MIXTURE, seed=1, index=1)
    whole = prepare_glasses(HASTY_MIXTURE, 2, tmp_path / "whole", seed=1)
    batch = whole.load()
    np.testing.assert_array_equal(batch.select([1]).positions, alone.structure.positions)
    assert not np.allclose(batch.select([0]).positions, batch.select([1]).positions, atol=0.1)
    assert batch.names == ("specimen-0000", "specimen-0001")
    assert read_json(tmp_path / "whole" / "specimen-0001.json")["flow"] == alone.flow
    written = [part.stat().st_mtime_ns for part in whole.parts]
    again = prepare_glasses(HASTY_MIXTURE, 2, tmp_path / "whole", seed=1)
    assert [part.stat().st_mtime_ns for part in again.parts] == written
    with pytest.raises(InputError, match="was made otherwise"):
        prepare_glasses(HASTY_MIXTURE, 2, tmp_path / "whole", seed=2)


@pytest.mark.parametrize("composition", ["Cu64Zr35", "Cu64Zr37", "CuZr", "Cu50Xx50", "Cu50Cu50", "64Cu36Zr", ""])
def test_compositions_that_are_none_or_do_not_sum(composition):
    with pytest.raises(InputError, match=r"sum to 100|is none"):
        percentages(composition)


def test_percentages_are_rounded_so_that_they_sum():
    recipe = replace(HASTY, composition="Cu33.3Zr33.3Al33.4", atoms=100)
    assert recipe.counts == {"Cu": 33, "Zr": 33, "Al": 34}


def test_an_element_that_the_file_does_not_know():
    with pytest.raises(InputError, match="knows Cu, Zr, not Al"):
        prepare_glass(replace(HASTY, composition="Cu50Zr40Al10"))


def test_a_cell_smaller_than_twice_the_cutoff(tmp_path):
    with pytest.raises(InputError, match="narrower than twice the cutoff"):
        prepare_glasses(replace(HASTY, atoms=100), 2, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_melt_that_does_not_flow():
    with pytest.raises(WorkError, match="too little to forget"):
        prepare_glass(replace(HASTY_MIXTURE, liquid=Liquid(0.5, 0.1)))


@pytest.mark.parametrize(
    "quench", [Quench(temperature=6000.0), Quench(window=(6000.0, 500.0)), Quench(window=(4e2, 5e2))]
)
def test_temperatures_have_to_fall(quench):
    with pytest.raises(InputError, match="do not fall"):
        replace(HASTY, quench=quench)


def test_the_rate_holds_in_the_window_and_what_is_outside_goes_fast():
    legs = HASTY.cooling
    assert [(leg.start, leg.end) for leg in legs] == [(5000.0, 4000.0), (4000.0, 1000.0), (1000.0, 300.0)]
    # K / (K/s), in ps
    assert [leg.duration for leg in legs] == pytest.approx([0.025, 0.15, 0.0175])
    assert HASTY.steps == 300 + 12 + 75 + 9
    assert replace(HASTY, timestep=0.004).steps == 150 + 6 + 38 + 4


def test_lammps_goes_on_with_the_swapped_atoms():
    recipe = HASTY
    with lammps_session() as lmp:
        types = np.random.default_rng(0).permutation(recipe.model.types(recipe.counts))
        _fill(lmp, recipe.model, types, 17.0, np.random.default_rng(0))
        with acting_in_lammps(lmp, recipe.model.potential, recipe.model.elements):
            lmp.commands_string("velocity all create 5000 7\nfix motion all nve\nrun 100")
            before = lmp.get_thermo("pe"), lmp.get_thermo("ke")
            swapped = _swap(lmp, recipe.model, 5000.0, 200 * recipe.atoms, np.random.default_rng(1))
            lmp.command("run 0")
            after = lmp.get_thermo("pe"), lmp.get_thermo("ke")
    assert swapped.accepted > 10
    assert after[0] - before[0] == pytest.approx(swapped.energy, abs=1e-6)
    assert after[1] == pytest.approx(before[1], rel=1e-12)


def test_swaps_of_one_element():
    with pytest.raises(InputError, match="leave the swaps out"):
        replace(HASTY, composition="Cu100")


CRYSTALS = {
    "fcc": bulk("Cu", cubic=True).repeat(4),
    "bcc": bulk("W", cubic=True).repeat(5),
    "hcp": bulk("Zr").repeat((6, 6, 4)),
    "B2": bulk("CuZr", "cesiumchloride", a=3.26).repeat(6),
    "Laves": crystal(
        ["Cu", "Zr"], [(0.625, 0.625, 0.625), (0, 0, 0)], spacegroup=227, cellpar=[7.32] * 3 + [90] * 3
    ).repeat(2),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_crystals_are_crystalline_when_shaken_and_turned(name):
    atoms = CRYSTALS[name].copy()
    atoms.rattle(0.08, seed=1)
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    assert crystalline_atoms(StructureBatch.from_atoms([atoms])).mean() > 0.95


def test_half_a_crystal_in_disorder_is_half_crystalline():
    atoms = bulk("Cu", cubic=True).repeat((10, 4, 4))
    moved = atoms.positions[:, 0] > 0.5 * atoms.cell[0, 0]
    atoms.positions[moved] += np.random.default_rng(0).normal(scale=0.7, size=(moved.sum(), 3))
    batch = StructureBatch.from_atoms([atoms])
    assert 0.4 < crystalline_atoms(batch).mean() < 0.6
    with pytest.raises(InputError, match="specimen 2: it crystallised"):
        refuse_crystals(batch, 0.1, "specimen 2")
