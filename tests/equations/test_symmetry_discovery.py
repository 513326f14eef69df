"""The symmetry of a law is found from noisy data, no larger and no smaller than it is."""

import json

import numpy as np
import pytest
from scipy import sparse

from equations.quantity_cases import SPIN, STRAIN, STRESS, VECTOR
from mechlearn.equations.symmetry.equivariants import equivariant_library
from mechlearn.equations.symmetry.groups import symmetry_group, turn
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_discovery import SymmetrySettings, discover_symmetry
from mechlearn.errors import InputError

QUICK = SymmetrySettings(resamples=12)

LAWS = {
    "isotropic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "tr(E) E": -0.8},
    "cubic": {"tr(E) I": 1.0, "E": 2.0, "E²": 1.5, "diag(E)": 0.8},
    "transversely isotropic": {"tr(E) I": 1.0, "E": 2.0, "tr(E) N": 0.5},
    "hexagonal": {"tr(E) I": 1.0, "E": 2.0, "tr(E) N": 0.5, "⟨E_xx² e_xx⟩": 0.6},
    "orthotropic": {"E_xx e_xx": 1.0, "E_yy e_yy": 2.0, "E_zz e_zz": 3.0, "E_xy e_xy": 1.5, "E_xx e_yy": 0.7},
}


def data(group, rng, samples=150, noise=0.05, axes=None):
    """Strains, stresses with noise, and the coefficients, by the law of that group."""
    library = equivariant_library([STRAIN], STRESS, group, 2, orientation=axes)
    assert set(LAWS[group]) <= set(library.names)
    strain = rng.normal(size=(samples, 3, 3)) / 3
    strain = strain + strain.swapaxes(1, 2)
    coefficients = np.array([LAWS[group].get(name, 0.0) for name in library.names])
    stress = np.einsum("t,stc->sc", coefficients, library.evaluate({"E": strain}))
    return strain, stress + noise * stress.std() * rng.normal(size=stress.shape)


@pytest.mark.parametrize("group", LAWS)
def test_the_group_and_the_law_are_found(group):
    rng = np.random.default_rng(0)
    strain, stress = data(group, rng)
    found = discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng, settings=QUICK)
    assert found.group == group
    law = {each.term.name: each for each in found.equation.coefficients}
    for name, value in LAWS[group].items():
        assert law[name].value == pytest.approx(value, rel=0.06)
        assert law[name].low < law[name].value < law[name].high
        assert law[name].probability > 0.5


def test_evidence_tells_the_groups_apart():
    rng = np.random.default_rng(1)
    strain, stress = data("cubic", rng)
    found = discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng, settings=QUICK)
    rows = {row.group: row for row in found.evidence}
    assert [row.terms for row in found.evidence] == sorted(row.terms for row in found.evidence)
    assert rows["cubic"].share > 0.9
    assert rows["cubic"].criterion == 0.0
    assert not rows["isotropic"].adequate
    assert rows["isotropic"].broken > 0.05
    # Symmetric tensors do not see the inversion: no data of this kind can tell O from Oh.
    assert "cubic rotations" in rows["cubic"].alike
    assert rows["tetragonal"].held_out_error == pytest.approx(rows["cubic"].held_out_error, rel=0.05)
    written = json.loads(json.dumps(found.to_dict()))
    assert written["group"] == "cubic"
    assert written["equation"]["lhs"] == "S"


def test_a_turned_crystal_is_cubic_in_its_own_axes_only():
    rng = np.random.default_rng(2)
    axes = turn(0, 0.5) @ turn(2, 0.3)
    strain, stress = data("cubic", rng, axes=axes)
    groups = [symmetry_group(name) for name in ("isotropic", "cubic", "none")]
    answers = [
        discover_symmetry(
            {STRAIN: strain}, STRESS, stress, rng=rng, groups=groups, orientation=orientation, settings=QUICK
        ).group
        for orientation in (axes, None)
    ]
    assert answers == ["cubic", "none"]


def test_reflections_are_found_broken_by_a_chiral_law():
    rng = np.random.default_rng(3)
    velocity, spin = rng.normal(size=(2, 200, 3))
    inputs = {VECTOR: velocity, Quantity("B", "axial vector"): spin}
    groups = [symmetry_group(name) for name in ("isotropic", "rotations", "none")]
    whole = np.cross(spin, velocity) - 0.5 * velocity
    for law, expected in ((whole, "isotropic"), (whole + 0.4 * spin, "rotations")):
        noisy = law + 0.05 * law.std() * rng.normal(size=law.shape)
        force = Quantity("F", "vector")
        assert discover_symmetry(inputs, force, noisy, rng=rng, groups=groups, settings=QUICK).group == expected


def test_weighted_sums_of_samples_give_the_law_too():
    rng = np.random.default_rng(4)
    library = equivariant_library([STRAIN, SPIN], STRESS, "isotropic", 2)
    values = {"E": rng.normal(size=(900, 6)), "W": rng.normal(size=(900, 3))}
    truth = np.array([1.0 if name == "(E W − W E)" else -0.5 if name == "E" else 0.0 for name in library.names])
    windows = sparse.csr_array(np.kron(np.eye(300), np.array([[0.5, 1.0, 0.5]])))
    sums = windows @ np.einsum("t,stc->sc", truth, library.evaluate(values))
    found = discover_symmetry(
        {STRAIN: values["E"], SPIN: values["W"]},
        STRESS,
        sums + 0.02 * rng.normal(size=sums.shape),
        rng=rng,
        groups=[symmetry_group(name) for name in ("isotropic", "orthotropic")],
        windows=windows,
        settings=QUICK,
    )
    assert found.group == "isotropic"
    assert {each.term.name for each in found.equation.coefficients} == {"E", "(E W − W E)"}


def test_same_seed_same_answer():
    strain, stress = data("cubic", np.random.default_rng(5))
    first, second = (
        discover_symmetry({STRAIN: strain}, STRESS, stress, rng=np.random.default_rng(9), degree=1, settings=QUICK)
        for _ in range(2)
    )
    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda strain, stress: (strain[:-1], stress), "149 samples of the inputs, 150 of the output"),
        (lambda strain, stress: (strain * np.where(np.arange(150) == 7, np.nan, 1)[:, None, None], stress), "sample 7"),
        (lambda strain, stress: (strain[:20], stress[:20]), "lower the degree, or leave that group out"),
        (lambda strain, stress: (strain, 0 * stress), "zero throughout"),
    ],
)
def test_bad_input_is_named(change, message):
    rng = np.random.default_rng(6)
    strain, stress = change(*data("isotropic", rng))
    with pytest.raises(InputError, match=message):
        discover_symmetry({STRAIN: strain}, STRESS, stress, rng=rng, settings=QUICK)


def test_no_groups_are_refused():
    with pytest.raises(InputError, match="no groups to choose from"):
        discover_symmetry({STRAIN: np.ones((9, 6))}, STRESS, np.ones((9, 6)), rng=np.random.default_rng(0), groups=[])
