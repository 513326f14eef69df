"""LAMMPS evaluates batches as plain input scripts do, whatever the cell."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from mechlearn.engines import lammps_session, potential_file
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import LammpsPotential
from mechlearn.structures import StructureBatch

BAR = 1.0 / 1.6021765e6  # eV/Å³, as LAMMPS has it
EAM = LammpsPotential.from_files("W_zhou.eam.alloy", elements=("W",))
SNAP = LammpsPotential.from_files("W_2940_2017_2.snap")
seeds = st.integers(min_value=0, max_value=2**32 - 1)


def random_atoms(seed: int, most: int = 12, symbols: tuple[str, ...] = ("W",)) -> Atoms:
    """A few atoms at random, not too close, in a random cell of the density of tungsten."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, most))
    cell = np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))
    cell *= (16.0 * count / abs(np.linalg.det(cell))) ** (1 / 3)
    atoms = Atoms(rng.choice(symbols, count), cell=cell, pbc=True)
    positions: list[np.ndarray] = []
    while len(positions) < count:
        positions.append(rng.random(3) @ cell)
        atoms.positions[: len(positions)] = positions
        some = atoms[: len(positions)]
        if len(some) > 1 and some.get_all_distances(mic=True)[-1, :-1].min() < 1.3:
            positions.pop()
    return atoms


def by_script(atoms: Atoms, commands: str, elements: tuple[str, ...]) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and stress of a cell that is already as LAMMPS has it, by a plain input script."""
    cell = atoms.cell.array
    assert np.allclose(cell, np.tril(cell))
    lines = [
        "units metal",
        "box tilt large",
        "atom_modify map array",
        f"region box prism 0 {cell[0, 0]!r} 0 {cell[1, 1]!r} 0 {cell[2, 2]!r} "
        f"{cell[1, 0]!r} {cell[2, 0]!r} {cell[2, 1]!r}",
        f"create_box {len(elements)} box",
        *(f"mass {kind + 1} 1.0" for kind in range(len(elements))),
        *(f"create_atoms {elements.index(atom.symbol) + 1} single {atom.x!r} {atom.y!r} {atom.z!r}" for atom in atoms),
        commands,
        "thermo_style custom pe pxx pyy pzz pyz pxz pxy",
        "run 0",
    ]
    with lammps_session() as session:
        session.commands_string("\n".join(line.replace("np.float64(", "").replace(")", "") for line in lines))
        assert session.get_natoms() == len(atoms)
        energy = session.get_thermo("pe")
        forces = np.array(session.gather_atoms("f", 1, 3)).reshape(-1, 3)
        pressure = [session.get_thermo(f"p{component}") for component in ("xx", "yy", "zz", "yz", "xz", "xy")]
    return energy, forces, -np.array(pressure) * BAR


WBE = potential_file("WBe_Wood_PRB2019.snap").parent / "WBe_Wood_PRB2019"
CASES = {
    "eam/alloy": (EAM, f"pair_style eam/alloy\npair_coeff * * {potential_file('W_zhou.eam.alloy')} W"),
    "eam/fs": (
        LammpsPotential.from_files("CuZr_mm.eam.fs", elements=("Zr", "Cu")),
        f"pair_style eam/fs\npair_coeff * * {potential_file('CuZr_mm.eam.fs')} Zr Cu",
    ),
    "eam": (
        LammpsPotential.from_files("Cu_u3.eam"),
        f"pair_style eam\npair_coeff 1 1 {potential_file('Cu_u3.eam')}",
    ),
    "snap": (
        SNAP,
        "pair_style hybrid/overlay zbl 4 4.8 snap\npair_coeff 1 1 zbl 74 74\npair_coeff * * snap "
        f"{potential_file('W_2940_2017_2.snapcoeff')} {potential_file('W_2940_2017_2.snapparam')} W",
    ),
    "two elements": (
        LammpsPotential.from_files("WBe_Wood_PRB2019.snap"),
        "pair_style hybrid/overlay zbl 4 4.8 snap\npair_coeff 1 1 zbl 74 74\npair_coeff 1 2 zbl 74 4\n"
        f"pair_coeff 2 2 zbl 4 4\npair_coeff * * snap {WBE}.snapcoeff {WBE}.snapparam W Be",
    ),
    "snap pair": (
        LammpsPotential.from_files("Cu_Zuo_JPCA2020.quadratic.snapcoeff", "Cu_Zuo_JPCA2020.quadratic.snapparam"),
        f"pair_style snap\npair_coeff * * {potential_file('Cu_Zuo_JPCA2020.quadratic.snapcoeff')} "
        f"{potential_file('Cu_Zuo_JPCA2020.quadratic.snapparam')} Cu",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_a_plain_script(case: str) -> None:
    potential, commands = CASES[case]
    images = [random_atoms(seed, symbols=potential.elements) for seed in range(6)]
    for atoms in images:
        atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
        atoms.wrap()
    batch = StructureBatch.from_atoms(images)
    evaluation = potential.evaluate(batch)
    for index, atoms in enumerate(images):
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        energy, forces, stress = by_script(atoms, commands, potential.elements)
        assert evaluation.energies[index] == pytest.approx(energy, rel=1e-10)
        assert np.allclose(evaluation.forces[own], forces, rtol=1e-8, atol=1e-8 * np.abs(forces).max() + 1e-10)
        assert np.allclose(evaluation.stresses[index], stress, rtol=1e-8, atol=1e-8 * np.abs(stress).max())


def test_atomic_energies_add_up() -> None:
    batch = StructureBatch.from_atoms([random_atoms(seed) for seed in range(20)])
    for potential in (EAM, SNAP):
        evaluation = potential.evaluate(batch)
        assert evaluation.atomic_energies is not None
        sums = np.add.reduceat(evaluation.atomic_energies, batch.offsets[:-1])
        assert np.allclose(sums, evaluation.energies, rtol=1e-10)


@pytest.mark.parametrize("potential", [EAM, SNAP], ids=["eam", "snap"])
def test_forces_and_stress_are_derivatives_of_the_energy(potential: LammpsPotential) -> None:
    atoms = bulk("W", a=3.1, cubic=True).repeat((2, 1, 1))
    atoms.rattle(0.2, seed=3)
    rng = np.random.default_rng(1)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3))), scale_atoms=True)
    evaluation = potential.evaluate(StructureBatch.from_atoms([atoms]))
    step = 1e-4

    moved = []
    directions = rng.normal(size=(4, len(atoms), 3))
    for direction in directions:
        for sign in (1, -1):
            other = atoms.copy()
            other.positions += sign * step * direction
            moved.append(other)
    energies = potential.evaluate(StructureBatch.from_atoms(moved)).energies.reshape(-1, 2)
    slopes = (energies[:, 0] - energies[:, 1]) / (2 * step)
    assert np.allclose(slopes, -np.einsum("dai,ai->d", directions, evaluation.forces), rtol=1e-5, atol=1e-5)

    strained = []
    for row, column in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            other = atoms.copy()
            other.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            strained.append(other)
    energies = potential.evaluate(StructureBatch.from_atoms(strained)).energies.reshape(-1, 2)
    stress = (energies[:, 0] - energies[:, 1]) / (2 * step) / atoms.get_volume()
    assert np.allclose(evaluation.stresses[0], stress, rtol=1e-4, atol=1e-6)


def assert_same_physics(atoms: Atoms, other: Atoms, rotation: np.ndarray, tolerance: float = 1e-8) -> None:
    """The other structure is the first one turned by ``rotation``, in whatever cell."""
    evaluation = EAM.evaluate(StructureBatch.from_atoms([atoms, other]))
    count = len(atoms)
    scale = max(1.0, np.abs(evaluation.forces).max(), abs(evaluation.energies[0]))
    assert abs(evaluation.energies[1] - evaluation.energies[0]) < tolerance * scale
    turned = evaluation.forces[:count] @ rotation
    assert np.abs(turned - evaluation.forces[count:]).max() < tolerance * scale
    tensors = [np.array([[s[0], s[5], s[4]], [s[5], s[1], s[3]], [s[4], s[3], s[2]]]) for s in evaluation.stresses]
    assert np.abs(rotation.T @ tensors[0] @ rotation - tensors[1]).max() < tolerance * scale


@given(seeds)
def test_rotated_cells_give_rotated_results(seed: int) -> None:
    atoms = random_atoms(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]  # reflections too
    other = Atoms(atoms.numbers, atoms.positions @ rotation, cell=atoms.cell.array @ rotation, pbc=True)
    assert_same_physics(atoms, other, rotation)


@given(seeds)
def test_equivalent_cells_give_equal_results(seed: int) -> None:
    atoms = random_atoms(seed)
    rng = np.random.default_rng(seed)
    shear = np.array([[1, *rng.integers(-5, 6, 2)], [0, 1, rng.integers(-5, 6)], [0, 0, 1]])
    shear = shear[rng.permutation(3)] * rng.choice([-1, 1], 3)[:, None]
    other = Atoms(
        atoms.numbers,
        atoms.positions + rng.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array,
        cell=shear @ atoms.cell.array,
        pbc=True,
    )
    assert_same_physics(atoms, other, np.eye(3))


@given(seeds)
@settings(max_examples=10)
def test_energy_is_extensive(seed: int) -> None:
    atoms = random_atoms(seed, most=5)
    repeats = tuple(int(number) for number in np.random.default_rng(seed).integers(1, 4, 3))
    energies = EAM.evaluate(StructureBatch.from_atoms([atoms, atoms.repeat(repeats)])).energies
    assert energies[1] == pytest.approx(np.prod(repeats) * energies[0], rel=1e-9)


@pytest.mark.parametrize("periodic", [(1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_directions_that_do_not_repeat_are_as_in_vacuum(periodic: tuple[int, int, int]) -> None:
    atoms = random_atoms(11)
    atoms.pbc = periodic
    wide = atoms.copy()
    vectors = atoms.cell.array.copy()
    vectors[~atoms.pbc] *= 30.0
    wide.set_cell(vectors)
    wide.pbc = True
    batch = StructureBatch.from_atoms([atoms, wide, atoms])
    evaluation = EAM.evaluate(batch)
    count = len(atoms)
    assert evaluation.energies[0] == pytest.approx(evaluation.energies[1], rel=1e-10)
    assert evaluation.energies[2] == evaluation.energies[0]
    assert np.allclose(evaluation.forces[:count], evaluation.forces[count : 2 * count], atol=1e-9)
    volumes = batch.volumes
    assert np.allclose(evaluation.stresses[0] * volumes[0], evaluation.stresses[1] * volumes[1], atol=1e-9)


def test_known_lattice_parameter_and_cohesive_energy_of_tungsten() -> None:
    lengths = np.linspace(3.10, 3.22, 13)
    batch = StructureBatch.from_atoms([bulk("W", a=a) for a in lengths])
    evaluation = EAM.evaluate(batch)
    assert evaluation.energies.min() == pytest.approx(-8.76, abs=0.005)  # Zhou 2001
    assert np.all(np.diff(evaluation.stresses[:, 0]) > 0)  # tension is positive
    assert lengths[evaluation.energies.argmin()] == pytest.approx(3.165, abs=0.01)


def test_the_order_of_structures_does_not_matter() -> None:
    batch = StructureBatch.from_atoms([random_atoms(seed) for seed in range(10)])
    straight = EAM.evaluate(batch)
    backwards = EAM.evaluate(batch.select(range(9, -1, -1)))
    assert np.array_equal(straight.energies, backwards.energies[::-1])
    assert np.array_equal(straight.stresses, backwards.stresses[::-1])


def test_a_pickled_potential_is_equal_and_gives_equal_numbers() -> None:
    batch = StructureBatch.from_atoms([random_atoms(5)])
    EAM.evaluate(batch)
    copy = pickle.loads(pickle.dumps(EAM))
    assert copy == EAM
    assert np.array_equal(copy.evaluate(batch).energies, EAM.evaluate(batch).energies)


def test_an_empty_batch() -> None:
    evaluation = EAM.evaluate(StructureBatch.empty())
    assert evaluation.energies.shape == (0,)
    assert evaluation.forces.shape == (0, 3)
    assert evaluation.stresses.shape == (0, 6)


def test_an_unknown_element_is_a_users_error() -> None:
    batch = StructureBatch.from_atoms([bulk("W"), bulk("Cu")])
    with pytest.raises(InputError, match=r"structure 1 with W_zhou\.eam\.alloy: it holds Cu, and .* knows W only"):
        EAM.evaluate(batch)


def test_a_position_that_is_not_a_number() -> None:
    atoms = bulk("W", cubic=True)
    atoms.positions[1, 2] = np.nan
    with pytest.raises(InputError, match=r"structure 0 .*the position of its atom 1 is \[.*nan\]; give finite"):
        EAM.evaluate(StructureBatch.from_atoms([atoms]))


def test_a_singular_cell() -> None:
    batch = StructureBatch.from_atoms([bulk("W", cubic=True)])
    flat = replace(batch, cells=np.array([[[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1.0]]]))
    with pytest.raises(InputError, match=r"structure 0 .*its cell .* has no volume"):
        EAM.evaluate(flat)


def test_lammps_refusing_the_commands_is_a_users_error() -> None:
    wrong = LammpsPotential("lj/cut 5.0", ("1 1 high low",), ("W",), name="mine")
    with pytest.raises(InputError, match=r"setting up potential mine: LAMMPS says: .*high"):
        wrong.evaluate(StructureBatch.from_atoms([bulk("W")]))


def test_a_failure_names_the_structure_and_the_next_evaluation_works() -> None:
    potential = replace(EAM, preamble=("neigh_modify one 12 page 1000",))
    alone = Atoms("W2", positions=[[0, 0, 0], [3, 0, 0]], cell=np.eye(3) * 20, pbc=True)
    sound = StructureBatch.from_atoms([alone])
    before = potential.evaluate(sound).energies
    crowded = StructureBatch.from_atoms([alone, bulk("W", a=2.0)])
    with pytest.raises(
        WorkError,
        match=r"evaluating structure 1 with W_zhou\.eam\.alloy: LAMMPS says: Neighbor list overflow",
    ):
        potential.evaluate(crowded)
    assert np.array_equal(potential.evaluate(sound).energies, before)


def test_a_potential_left_open_ends_silently() -> None:
    code = (
        "from ase.build import bulk\n"
        "from mechlearn.interactions import labeller, label\n"
        "from mechlearn.structures import StructureBatch\n"
        "potential = labeller('eam')\n"
        "label(StructureBatch.from_atoms([bulk('W')]), potential)\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_several_potentials_may_be_open_at_once() -> None:
    batch = StructureBatch.from_atoms([random_atoms(4)])
    alone = [EAM.evaluate(batch).energies[0], SNAP.evaluate(batch).energies[0]]
    again = [EAM.evaluate(batch).energies[0], SNAP.evaluate(batch).energies[0]]
    assert alone == again
    assert alone[0] != alone[1]


def test_files_are_found_beside_the_commands_that_name_them(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    for ending in ("snap", "snapcoeff", "snapparam"):
        source = potential_file(f"W_2940_2017_2.{ending}")
        (folder / source.name).write_text(source.read_text())
    moved = LammpsPotential.from_files(folder / "W_2940_2017_2.snap")
    batch = StructureBatch.from_atoms([random_atoms(2)])
    assert np.array_equal(moved.evaluate(batch).energies, SNAP.evaluate(batch).energies)


def test_null_types_of_a_command_file_are_for_the_user_to_name() -> None:
    with pytest.raises(InputError, match=r"its LAMMPS types are W NULL, .* not given"):
        LammpsPotential.from_files("W_2940_2017_2_He_JW2013.snap")
    mixed = LammpsPotential.from_files("W_2940_2017_2_He_JW2013.snap", elements=("W", "He"))
    atoms = bulk("W", a=3.18, cubic=True).repeat(2)
    alone = SNAP.evaluate(StructureBatch.from_atoms([atoms])).energies
    assert np.allclose(mixed.evaluate(StructureBatch.from_atoms([atoms])).energies, alone, rtol=1e-9)


@pytest.mark.parametrize(
    ("files", "elements", "message"),
    [
        (("nowhere/W.eam.alloy",), (), "there is no file nowhere/W.eam.alloy"),
        (("W_zhou.eam.alloy",), ("Cu",), "it knows W, not Cu"),
        (("SiC.tersoff",), (), "not a kind that is known; give .eam"),
        (
            ("WBe_Wood_PRB2019.snap",),
            ("Be", "W", "He"),
            "LAMMPS types are W Be, the elements asked for are Be W He",
        ),
        ((), (), "no file was given"),
    ],
)
def test_unusable_files(files: tuple[str, ...], elements: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LammpsPotential.from_files(*files, elements=elements)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.eam.alloy", "one\ntwo\nthree\nfour\n", "line 4 does not name the elements of an eam/alloy file"),
        ("x.eam", "comment\nnot a number\n", "line 2 does not name the elements"),
        ("x.snapcoeff", "# nothing\n", "not a SNAP coefficient file"),
        ("x.snap", "print hello\n", "found 0 pair_style and 0 pair_coeff commands"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        LammpsPotential.from_files(tmp_path / name)
