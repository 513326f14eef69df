"""Athermal quasi-static shear: against a plain LAMMPS loop, against elasticity, and by the laws of mechanics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glassy_cells import random_structure
from mechlearn.engines import lammps_session, potential_file
from mechlearn.errors import InputError
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearPath, ShearSettings, shear
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import Evaluation, deformed, elastic_constants, read_eam
from mechlearn.structures import StructureBatch
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM as GPA

FILE = "CuZr_mm.eam.fs"
POTENTIAL = read_eam(FILE)
TIGHT = MinimisationSettings(largest_force=1e-8)
STEP = 1e-3


@dataclass(frozen=True)
class ForcesOnly:
    """The potential without its second derivatives."""

    elements: tuple[str, ...] = POTENTIAL.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        return POTENTIAL.evaluate(batch)


@pytest.fixture(scope="module")
def glass() -> StructureBatch:
    """60 atoms at rest in a cube, an event ahead."""
    structure = random_structure(("Cu", "Zr"), 60, 16.5, np.random.default_rng(6), skew=0.0)
    return minimise(POTENTIAL, structure, TIGHT).point.structure


@pytest.fixture(scope="module")
def path(glass: StructureBatch) -> ShearPath:
    return shear(POTENTIAL, glass, SENSES["xy"], ShearSettings(step=STEP, minimisation=TIGHT))


def lammps_loop(glass: StructureBatch, steps: int) -> np.ndarray:
    """σ_xy (GPa) at every strain, as a plain loop of LAMMPS has it."""
    length = float(glass.cells[0, 0, 0])
    inside = glass.positions - np.floor(glass.positions / length) * length
    stresses = []
    with lammps_session() as session:
        session.commands_string(
            f"""
            units metal
            atom_modify map array
            region box prism 0 {length!r} 0 {length!r} 0 {length!r} 0 0 0
            create_box 2 box
            mass * 60.0
            pair_style eam/fs
            pair_coeff * * {potential_file(FILE)} Cu Zr
            thermo_modify norm no
            thermo_style custom step pe pxy
            min_style cg
            """
        )
        types = np.where(glass.species == 29, 1, 2).tolist()
        session.create_atoms(glass.atoms, list(range(1, glass.atoms + 1)), types, inside.ravel().tolist())
        for step in range(steps + 1):
            if step:
                session.command(f"change_box all xy delta {STEP * length!r} remap units box")
            session.command("minimize 0 1e-7 10000 100000")
            stresses.append(-session.get_thermo("pxy") * 1e-4)
    return np.array(stresses)


def test_lammps_has_the_same_curve_and_the_same_event(glass: StructureBatch, path: ShearPath) -> None:
    assert path.ended == "event"
    on_grid = len(path.steps) - 1
    curve = lammps_loop(glass, on_grid)
    np.testing.assert_allclose(path.loading_stresses[:on_grid] * GPA, curve[:on_grid], atol=1e-6)
    # The next step of LAMMPS's is beyond the event.
    settings = ShearSettings(step=STEP, final_strain=on_grid * STEP, stop_at_event=False, minimisation=TIGHT)
    beyond = shear(POTENTIAL, path.state, SENSES["xy"], settings)
    assert beyond.events == ()
    assert beyond.loading_stresses[-1] * GPA == pytest.approx(curve[on_grid], abs=1e-6)
    assert curve[on_grid] < curve[on_grid - 1]


def test_an_event_is_an_instability(glass: StructureBatch, path: ShearPath) -> None:
    event = path.events[-1]
    assert event.resolution <= 1e-6
    assert event.stress_drop > 0.0
    assert event.energy_drop > 0.0
    assert len(event.group(0.1)) > 0
    # The mode that went unstable is all but without stiffness, and its core is among the atoms that moved.
    start = lowest_modes(POTENTIAL.at(glass), 1).curvatures[0]
    assert abs(event.mode.stiffness) < 0.05 * start
    assert event.trigger == event.mode.core()[0]
    assert event.trigger in event.group(0.1)
    # Before, the structure is stable: nudged along the mode it comes back; after, strained back, it does not.
    nudged = displaced(event.before, 1e-3 * event.mode.vector)
    again = minimise(POTENTIAL, nudged, TIGHT).point.structure
    assert furthest(centred(again.positions - event.before.positions)) < 0.01
    carried = deformed(event.after, np.eye(3) - event.resolution * SENSES["xy"])
    back = minimise(POTENTIAL, carried, TIGHT).point.structure
    assert furthest(centred(back.positions - event.before.positions)) > 0.05


def test_every_step_is_at_rest(path: ShearPath) -> None:
    assert all(step.converged and step.largest_force <= 1e-8 for step in path.steps)
    np.testing.assert_allclose(path.strains[:-1], STEP * np.arange(len(path.steps) - 1), atol=1e-15)
    assert path.effort.evaluations == sum(step.effort.evaluations for step in path.steps)


@pytest.mark.parametrize("sense", ["xy", "-yz", "general"])
def test_the_first_slope_is_that_of_elasticity(glass: StructureBatch, sense: str) -> None:
    """dσ/dγ along L is the stress that elasticity gives for its symmetric part, turned by its skew part."""
    general = np.array([[0.3, 0.5, -0.2], [0.1, -0.4, 0.6], [0.7, 0.2, 0.2]])
    gradient = general if sense == "general" else SENSES[sense]
    # The curvature of the tables jumps from entry to entry, that of smooth cubics does not.
    potential = read_eam(FILE, smooth=True)
    closest = replace(TIGHT, largest_force=1e-10)
    settings = ShearSettings(step=1e-6, resolution=1e-7, final_strain=1e-6, minimisation=closest)
    path = shear(potential, glass, gradient, settings)
    first, second = path.steps
    constants = elastic_constants(minimise(potential, glass, closest).point).of_stress()
    strain, spin = 0.5 * (gradient + gradient.T), 0.5 * (gradient - gradient.T)
    stress = tensor(first.stress)
    expected = tensor(constants @ np.array([*strain.diagonal(), *(2.0 * strain[[1, 0, 0], [2, 2, 1]])]))
    expected += spin @ stress - stress @ spin
    found = tensor(second.stress - first.stress) / 1e-6
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def tensor(voigt: np.ndarray) -> np.ndarray:
    xx, yy, zz, yz, xz, xy = voigt
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def test_a_loading_turned_along_changes_nothing(glass: StructureBatch, path: ShearPath) -> None:
    turn = Rotation.random(rng=np.random.default_rng(5)).as_matrix()
    gradient = turn @ SENSES["xy"] @ turn.T
    turned = shear(POTENTIAL, deformed(glass, turn), gradient, ShearSettings(step=STEP, minimisation=TIGHT))
    np.testing.assert_allclose(turned.loading_stresses * GPA, path.loading_stresses * GPA, atol=1e-6)
    assert turned.events[-1].strain == pytest.approx(path.events[-1].strain, abs=2e-6)
    assert turned.events[-1].trigger == path.events[-1].trigger
    np.testing.assert_allclose(turned.events[-1].d2min, path.events[-1].d2min, atol=1e-3)


def test_a_path_goes_on_from_its_state(glass: StructureBatch, path: ShearPath) -> None:
    settings = ShearSettings(step=STEP, final_strain=3 * STEP, minimisation=TIGHT)
    first = shear(POTENTIAL, glass, SENSES["xy"], settings)
    assert (first.ended, len(first.steps)) == ("final strain", 4)
    second = shear(POTENTIAL, first.state, SENSES["xy"], replace(settings, final_strain=5 * STEP))
    np.testing.assert_array_equal(second.strains, path.strains[4:6])
    np.testing.assert_array_equal(second.loading_stresses, path.loading_stresses[4:6])
    # And back, along another gradient: while elastic it ends where it began.
    back = shear(POTENTIAL, second.state, SENSES["-xy"], replace(settings, final_strain=10 * STEP))
    assert furthest(centred(back.state.structure.positions - glass.positions)) < 1e-6
    np.testing.assert_allclose(back.state.structure.cells, glass.cells, atol=1e-12)


def test_a_potential_with_forces_alone_shears_alike(glass: StructureBatch, path: ShearPath) -> None:
    settings = ShearSettings(step=STEP, final_strain=STEP)
    alike = shear(ForcesOnly(), glass, SENSES["xy"], settings)
    np.testing.assert_allclose(alike.loading_stresses * GPA, path.loading_stresses[:2] * GPA, atol=2e-5)


def test_a_step_that_does_not_come_to_rest_is_said(glass: StructureBatch) -> None:
    impatient = ShearSettings(step=STEP, minimisation=MinimisationSettings(largest_force=1e-12, evaluations=2))
    path = shear(POTENTIAL, glass, SENSES["xy"], impatient)
    assert path.ended == "not at rest"
    assert not path.steps[-1].converged
    assert path.steps[-1].largest_force > 1e-12


def test_what_makes_no_sense_is_refused(glass: StructureBatch) -> None:
    with pytest.raises(InputError, match="velocity gradient"):
        shear(POTENTIAL, glass, np.zeros((3, 3)))
    with pytest.raises(InputError, match="resolution"):
        ShearSettings(step=1e-4, resolution=1e-3)
    with pytest.raises(InputError, match="final_strain is nan"):
        ShearSettings(final_strain=float("nan"))
