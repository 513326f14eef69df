"""Potentials in LAMMPS by fix external and natively, and energy conservation of second order."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic

from mechlearn.engines.lammps import lammps_cell, potential_file
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import Evaluation, Potential
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.potentials.lammps_files import read_snap
from mechlearn.potentials.lammps_run import atoms_of, lammps_with
from mechlearn.potentials.nve import NveProtocol, fit_order, nve_deviation
from mechlearn.potentials.snap import SnapPotential
from mechlearn.structures import StructureBatch

#: bar in one eV/Å³, LAMMPS's constant.
NKTV2P = 1.6021765e6


@pytest.fixture(scope="module")
def tungsten() -> SnapPotential:
    """The published SNAP potential of tungsten, with its ZBL repulsion."""
    return read_snap(potential_file("W_2940_2017_2.snap"))


def sheared(seed: int = 0) -> Atoms:
    """Four atoms in a triclinic cell in no particular orientation, some outside of it."""
    rng = np.random.default_rng(seed)
    atoms = bulk("W", "bcc", a=3.2, cubic=True) * (1, 1, 2)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))), scale_atoms=True)
    atoms.rotate(50, (1.0, 2.0, 3.0), rotate_cell=True)
    atoms.rattle(0.1, seed=seed)
    atoms.positions[1] += 2.0 * atoms.cell.array[0] - atoms.cell.array[2]
    return atoms


@dataclass(frozen=True, eq=False)
class Springs:
    """Every atom on a spring to its site, E = Σ ½ k |u|²: the harmonic crystal of Einstein."""

    sites: np.ndarray
    stiffness: float = 10.0
    elements: tuple[str, ...] = ("W",)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energy and forces of one structure."""
        moved, _ = find_mic(batch.positions - self.sites, batch.cells[0])
        energy = 0.5 * self.stiffness * (moved**2).sum()
        return Evaluation(np.array([energy]), -self.stiffness * moved, np.full((1, 6), np.nan))


@dataclass(frozen=True, eq=False)
class Broken:
    """A potential whose evaluation goes wrong after some steps."""

    potential: Potential
    error: Exception
    after: int
    calls: list[int]
    elements: tuple[str, ...] = ("W",)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """What the potential says, until it fails."""
        self.calls.append(1)
        if len(self.calls) > self.after:
            raise self.error
        return self.potential.evaluate(batch)


# ---------------------------------------------------------------------- fix external


@pytest.mark.parametrize("native", [True, False])
def test_energy_forces_and_stress_reach_lammps(tungsten: SnapPotential, native: bool) -> None:
    atoms = sheared()
    expected = tungsten.evaluate(StructureBatch.from_atoms([atoms]))
    _, rotation = lammps_cell(atoms.cell.array)
    with lammps_with(tungsten, atoms, native=native) as lmp:
        lmp.command("run 0")
        energy = lmp.get_thermo("pe")
        pressure = [lmp.get_thermo(name) for name in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")]
        forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3) @ rotation.T
    assert energy == pytest.approx(expected.energies[0], rel=1e-10)
    np.testing.assert_allclose(forces, expected.forces, atol=1e-8 * np.abs(expected.forces).max())
    xx, yy, zz, yz, xz, xy = -np.array(pressure) / NKTV2P
    stress = rotation @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation.T
    own = expected.stresses[0]
    np.testing.assert_allclose(stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], own, atol=1e-7 * np.abs(own).max())


def test_native_and_external_give_the_same_trajectory(tungsten: SnapPotential) -> None:
    atoms = bulk("W", "bcc", a=3.2, cubic=True) * (2, 1, 1)
    atoms.rattle(0.1, seed=2)
    ends = []
    for native in (True, False):
        with lammps_with(tungsten, atoms, native=native) as lmp:
            lmp.commands_string("velocity all create 3000 7\ntimestep 0.002\nfix 1 all nve\nrun 150")
            ends.append((atoms_of(lmp, atoms), lmp.get_thermo("etotal")))
    (one, energy), (other, other_energy) = ends
    difference, _ = find_mic(one.positions - other.positions, one.cell)
    assert np.abs(difference).max() < 1e-7
    assert energy == pytest.approx(other_energy, abs=1e-7)


def test_pressure_drives_a_changing_box(tungsten: SnapPotential) -> None:
    volumes = []
    for native in (True, False):
        atoms = bulk("W", "bcc", a=3.3, cubic=True)
        atoms.set_cell(atoms.cell.array @ np.array([[1, 0, 0], [0.1, 1, 0], [0, 0.05, 1]]), scale_atoms=True)
        with lammps_with(tungsten, atoms, native=native) as lmp:
            lmp.commands_string("fix 1 all box/relax tri 0.0 vmax 0.01\nminimize 0 1e-6 100 300")
            volumes.append(atoms_of(lmp, atoms).get_volume())
    assert volumes[1] == pytest.approx(volumes[0], rel=1e-4)
    assert volumes[1] == pytest.approx(3.1803**3, rel=2e-3)


def test_velocities_go_in_and_come_back(tungsten: SnapPotential) -> None:
    atoms = bulk("W", "bcc", a=3.2, cubic=True)
    atoms.set_velocities([[0.01, 0.0, 0.02], [0.0, -0.03, 0.0]])
    with lammps_with(tungsten, atoms) as lmp:
        lmp.command("run 0")
        assert lmp.get_thermo("ke") == pytest.approx(atoms.get_kinetic_energy(), rel=1e-4)
        np.testing.assert_allclose(atoms_of(lmp, atoms).get_velocities(), atoms.get_velocities(), atol=1e-12)


def test_a_cluster_needs_no_box(tungsten: SnapPotential) -> None:
    cluster = Atoms("W3", positions=[[0, 0, 0], [2.5, 0, 0], [0, 2.6, 0.3]])
    expected = tungsten.evaluate(StructureBatch.from_atoms([cluster])).energies[0]
    with lammps_with(tungsten, cluster, native=False) as lmp:
        lmp.command("run 0")
        assert lmp.get_thermo("pe") == pytest.approx(expected, rel=1e-10)


def test_an_error_of_the_potential_stops_the_run(tungsten: SnapPotential) -> None:
    broken = Broken(tungsten, ValueError("no such thing"), after=3, calls=[])
    with (
        pytest.raises(WorkError, match="evaluating the potential in LAMMPS: no such thing"),
        lammps_with(broken, bulk("W", "bcc", a=3.2, cubic=True)) as lmp,
    ):
        lmp.commands_string("fix 1 all nve\nrun 1000")
    assert len(broken.calls) == 4


def test_errors_of_the_user_stay_so(tungsten: SnapPotential) -> None:
    broken = Broken(tungsten, InputError("give another"), after=0, calls=[])
    with pytest.raises(InputError, match="give another"), lammps_with(broken, bulk("W")) as lmp:
        lmp.command("run 0")


def test_unknown_elements_and_styles_are_refused(tungsten: SnapPotential) -> None:
    with pytest.raises(InputError, match="it holds Cu"), lammps_with(tungsten, bulk("Cu")):
        pass
    springs = Springs(np.zeros((1, 3)))
    with (
        pytest.raises(InputError, match="no pair style for Springs"),
        lammps_with(springs, bulk("W"), native=True),
    ):
        pass


# ---------------------------------------------------------------------- energy conservation


def test_springs_conserve_energy_to_second_order() -> None:
    crystal = bulk("W", "bcc", a=3.165, cubic=True) * (2, 2, 2)
    protocol = NveProtocol(duration_ps=1.0, equilibration_ps=0.3, samples=200)
    result = nve_deviation(
        Springs(crystal.positions), (1.0, 2.0, 4.0, 8.0), rng=np.random.default_rng(4), protocol=protocol
    )
    assert result.stable
    assert result.counted.all()
    assert result.order == pytest.approx(2.0, abs=0.1)
    assert result.interval[0] < result.order < result.interval[1]
    assert np.all((result.temperatures > 500) & (result.temperatures < 6000))


def morse(style: str) -> LammpsPotential:
    """A pair potential with the bond of tungsten, cut off between shells of neighbours that move across."""
    return LammpsPotential(f"{style} 4.9", ("1 1 0.99 1.41 3.03",), ("W",))


def test_smooth_pairs_conserve_energy_to_second_order() -> None:
    protocol = NveProtocol(duration_ps=3.0, equilibration_ps=1.0)
    result = nve_deviation(morse("morse/smooth/linear"), rng=np.random.default_rng(0), protocol=protocol)
    assert result.stable, result.reason
    assert result.order == pytest.approx(2.0, abs=0.2)


def test_an_energy_with_a_step_is_found_out() -> None:
    protocol = NveProtocol(duration_ps=3.0, equilibration_ps=1.0)
    result = nve_deviation(morse("morse"), rng=np.random.default_rng(0), protocol=protocol)
    assert result.order < 0.5
    assert result.deviation.min() > 1e-3


def test_snap_natively_conserves_as_by_fix_external(tungsten: SnapPotential) -> None:
    protocol = NveProtocol(duration_ps=0.05, equilibration_ps=0.01, samples=5)
    results = [
        nve_deviation(tungsten, (2.0, 5.0), rng=np.random.default_rng(1), protocol=protocol, native=native)
        for native in (True, False)
    ]
    np.testing.assert_allclose(results[0].deviation, results[1].deviation, rtol=1e-5)


def test_same_seed_same_result() -> None:
    protocol = NveProtocol(duration_ps=0.1, equilibration_ps=0.1)
    first, second = (
        nve_deviation(morse("morse"), (2.0, 4.0), rng=np.random.default_rng(8), protocol=protocol) for _ in "ab"
    )
    assert first.as_dict() == second.as_dict()
    json.dumps(first.as_dict(), allow_nan=False)


def test_too_long_a_timestep_is_reported_not_hidden() -> None:
    crystal = bulk("W", "bcc", a=3.165, cubic=True) * (2, 2, 2)
    springs = Springs(crystal.positions, stiffness=50.0)
    protocol = NveProtocol(duration_ps=2.0, equilibration_ps=0.1)
    result = nve_deviation(springs, (1.0, 2.0, 60.0), rng=np.random.default_rng(4), protocol=protocol)
    assert result.stable  # up to 10 fs, which the rule asks for
    assert result.reasons[:2] == ("", "")
    assert "eV/atom" in result.reason
    assert np.isnan(result.deviation[2])
    assert result.counted.tolist() == [True, True, False]
    assert result.as_dict()["deviation"][2] is None


def test_a_potential_that_blows_up_while_equilibrating_is_unstable() -> None:
    crystal = bulk("W", "bcc", a=3.165, cubic=True) * (2, 2, 2)
    result = nve_deviation(
        Springs(crystal.positions, stiffness=-1000.0), (1.0, 2.0), rng=np.random.default_rng(4),
        protocol=NveProtocol(duration_ps=1.0, equilibration_ps=5.0),
    )  # fmt: skip
    assert not result.stable
    assert result.reason
    assert np.isnan(result.order)


def test_the_order_of_two_points_has_no_interval() -> None:
    order, interval = fit_order(np.array([1.0, 2.0]), np.array([1.0, 8.0]))
    assert order == pytest.approx(3.0)
    assert np.isnan(interval).all()
    assert np.isnan(fit_order(np.array([1.0]), np.array([1.0]))[0])


@pytest.mark.parametrize("timesteps", [(), (0.0, 1.0), (np.nan,)])
def test_bad_timesteps(tungsten: SnapPotential, timesteps: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="not all positive"):
        nve_deviation(tungsten, timesteps, rng=np.random.default_rng(0))


def test_bad_protocol() -> None:
    with pytest.raises(InputError, match="duration_ps is 0"):
        NveProtocol(duration_ps=0.0)
