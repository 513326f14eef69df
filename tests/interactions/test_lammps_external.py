"""A potential of Python's in LAMMPS moves atoms as LAMMPS's own pair style does."""

import signal

import numpy as np
import pytest

from glassy_cells import random_structure
from mechlearn.engines.lammps import lammps_session
from mechlearn.errors import InputError
from mechlearn.interactions import acting_in_lammps, read_eam
from mechlearn.interactions.lammps_files import locate

FILE = "CuZr_mm.eam.fs"


def opened(lmp, structure):
    """A cube of copper and zirconium at 1500 K, with a barostat."""
    length = float(structure.cells[0, 0, 0])
    lmp.commands_string(
        f"""units metal
        atom_modify map array
        region cell block 0 {length!r} 0 {length!r} 0 {length!r}
        create_box 2 cell
        mass 1 63.546
        mass 2 91.224"""
    )
    types = np.where(structure.species == 29, 1, 2)
    lmp.create_atoms(structure.atoms, None, types.tolist(), structure.positions.ravel().tolist())


def run(lmp):
    """Positions, energy and pressure after some steps in which atoms leave the box and come back into it."""
    lmp.commands_string(
        """velocity all create 1500 5
        velocity all set 100 0 0 sum yes
        fix motion all npt temp 1500 1500 0.1 iso 0 0 1
        run 60"""
    )
    positions = np.array(lmp.gather_atoms("x", 1, 3)).reshape(-1, 3)
    return positions, lmp.get_thermo("pe"), lmp.get_thermo("press")


@pytest.fixture(scope="module")
def structure():
    return random_structure(("Cu", "Zr"), 300, 18.0, np.random.default_rng(3), skew=0.0)


def test_trajectories_are_those_of_the_pair_style(structure):
    with lammps_session() as lmp:
        opened(lmp, structure)
        lmp.commands_string(f"pair_style eam/fs\npair_coeff * * {locate(FILE)} Cu Zr")
        theirs = run(lmp)
    with lammps_session() as lmp:
        opened(lmp, structure)
        with acting_in_lammps(lmp, read_eam(FILE), ("Cu", "Zr")):
            ours = run(lmp)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-7)
    assert ours[1] == pytest.approx(theirs[1], rel=1e-10)
    assert ours[2] == pytest.approx(theirs[2], rel=1e-6)


def test_what_the_potential_refuses_is_said(structure):
    with lammps_session() as lmp:
        opened(lmp, structure)
        with (
            pytest.raises(InputError, match="knows W only"),
            acting_in_lammps(lmp, read_eam("W_zhou.eam.alloy"), ("Cu", "Zr")),
        ):
            lmp.command("run 0")


def run_in_parts(lmp):
    for _ in range(10):
        lmp.commands_string("fix motion all nve\nrun 20\nunfix motion")


class _InterruptedOnce:
    """A potential in whose third evaluation Ctrl-C is pressed."""

    def __init__(self, potential):
        self.potential, self.evaluations = potential, 0
        self.elements = potential.elements

    def evaluate(self, batch):
        self.evaluations += 1
        if self.evaluations == 3:
            signal.raise_signal(signal.SIGINT)
        return self.potential.evaluate(batch)


@pytest.fixture
def handler():
    """Python's own for Ctrl-C; a shell that runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_the_run_that_is_interrupted_ends_at_its_next_step(structure, handler):
    potential = _InterruptedOnce(read_eam(FILE))
    with lammps_session() as lmp:
        opened(lmp, structure)
        with pytest.raises(KeyboardInterrupt), acting_in_lammps(lmp, potential, ("Cu", "Zr")):
            run_in_parts(lmp)
    assert potential.evaluations == 3
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_command_that_fails_is_the_one_that_raises(structure):
    with lammps_session() as lmp:
        opened(lmp, structure)
        with acting_in_lammps(lmp, read_eam("W_zhou.eam.alloy"), ("Cu", "Zr")):
            lmp.command("run_style verlet")
            with pytest.raises(InputError, match="knows W only"):
                lmp.command("run 0")
