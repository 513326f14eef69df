"""Taylor's condition, and the factors that are known for it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mechlearn.crystals.slip import slip_systems
from mechlearn.crystals.taylor import DEVIATORIC, taylor_slip
from mechlearn.errors import InputError


def turned_tension(grains, seed=0):
    """Tension to a strain rate of 1, seen from grains of random orientation."""
    rotations = Rotation.random(grains, random_state=np.random.default_rng(seed)).as_matrix()
    return rotations.transpose(0, 2, 1) @ np.diag([1.0, -0.5, -0.5]) @ rotations


@pytest.mark.parametrize(
    ("lattice", "families", "factor"),
    [("fcc", ["octahedral"], 3.067), ("bcc", ["110"], 3.067), ("bcc", ["110", "112", "123"], 2.754)],
)
def test_taylor_factor_of_a_random_polycrystal(lattice, families, factor):
    """The factors of rate-independent slip in tension: Taylor's 3.06, and 2.75 for pencil glide."""
    systems = slip_systems(lattice, families)
    slip_rates, _ = taylor_slip(systems, turned_tension(2000), np.ones((2000, len(systems))), exponent=100.0)
    assert np.abs(slip_rates).sum(axis=1).mean() == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize("exponent", [1.0, 3.0, 20.0])
def test_slip_adds_up_to_the_strain_rate_and_its_power_is_the_stress_times_it(exponent):
    systems, rates = slip_systems("hcp"), turned_tension(50)
    strengths = np.random.default_rng(1).uniform(5.0, 50.0, size=(50, 39))
    slip_rates, stress = taylor_slip(systems, rates, strengths, exponent)
    symmetric = 0.5 * (systems.schmid_tensors + systems.schmid_tensors.transpose(0, 2, 1))
    assert np.abs(np.einsum("gs,sij->gij", slip_rates, symmetric) - rates).max() < 1e-9
    tensor = np.einsum("ga,aij->gij", stress, DEVIATORIC)
    resolved = np.einsum("gij,sij->gs", tensor, systems.schmid_tensors)
    assert np.allclose(slip_rates, np.abs(resolved / strengths) ** exponent * np.sign(resolved))
    power = np.einsum("gij,gij->g", tensor, rates)
    assert np.einsum("gs,gs->g", resolved, slip_rates) == pytest.approx(power)


def test_the_crystal_s_symmetry_is_that_of_its_slip():
    """Turning the strain rate by an element of the point group exchanges the systems' slip."""
    systems, rates = slip_systems("fcc"), turned_tension(4)
    before, _ = taylor_slip(systems, rates, np.ones((4, 12)), 8.0)
    for matrix, image, sense in list(zip(systems.point_group, *systems.action(), strict=True))[::7]:
        after, _ = taylor_slip(systems, matrix @ rates @ matrix.T, np.ones((4, 12)), 8.0)
        assert np.allclose(after[:, image], before * sense, atol=1e-9)


def test_twins_shear_one_way():
    systems = slip_systems("hcp", ["basal a", "prismatic a", "pyramidal II c+a", "tension twin"])
    slip_rates, _ = taylor_slip(systems, turned_tension(100), np.full((100, len(systems)), 10.0), 10.0)
    assert slip_rates[:, systems.one_way].min() == 0.0
    assert slip_rates[:, systems.one_way].max() > 0.1
    assert slip_rates[:, ~systems.one_way].min() < -0.1


def test_extension_along_c_is_what_tension_twins_carry():
    systems = slip_systems("hcp", ["basal a", "prismatic a", "pyramidal II c+a", "tension twin"], c_over_a=1.624)
    along_c = np.array([np.diag([-0.5, -0.5, 1.0]), np.diag([0.5, 0.5, -1.0])])
    slip_rates, _ = taylor_slip(systems, along_c, np.full((2, len(systems)), 10.0), 10.0)
    extension, compression = slip_rates[:, systems.one_way].sum(axis=1)
    assert extension > 0.1
    assert compression < 1e-9


def test_systems_that_cannot_carry_every_strain_are_refused():
    systems = slip_systems("hcp", ["basal a", "prismatic a"])
    with pytest.raises(InputError, match="basal a, prismatic a cannot carry every strain; add a family"):
        taylor_slip(systems, turned_tension(1), np.ones((1, 6)), 5.0)
