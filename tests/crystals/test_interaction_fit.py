"""A planted law is found again, and symmetry-reduced columns are those of the whole tensor."""

from dataclasses import replace

import numpy as np
import pytest

from mechlearn.crystals.interaction_fit import InteractionSettings, fit_storage, fit_strength
from mechlearn.crystals.interactions import interaction_orbits
from mechlearn.crystals.lasso import LassoSettings
from mechlearn.crystals.plasticity import LoadingSettings, planted_law, taylor_histories
from mechlearn.crystals.reduced_problem import ReducedProblem
from mechlearn.crystals.slip import slip_systems
from mechlearn.errors import InputError


def planted(lattice="fcc", families=(), noise=0.05, seed=0, **settings):
    """A law, and noisy histories of it."""
    rng = np.random.default_rng(seed)
    law = planted_law(slip_systems(lattice, families), rng, share_of_strength=0.5, share_of_storage=0.05)
    loading = LoadingSettings(**{"cases": 12, "grains": 10, "steps": 60, **settings})
    return law, taylor_histories(law, loading, rng=rng).with_noise(noise, rng)


def f1(truth, found):
    return 2 * np.sum((truth != 0) & (found != 0)) / (np.sum(truth != 0) + np.sum(found != 0))


@pytest.mark.parametrize(
    ("lattice", "families"), [("fcc", ()), ("bcc", ("110",)), ("hcp", ("basal a", "prismatic a", "pyramidal II c+a"))]
)
def test_a_planted_law_is_found_again_from_noisy_readings(lattice, families):
    law, histories = planted(lattice, families)
    strength = fit_strength(histories, law.systems, law.pairs, rng=np.random.default_rng(1))
    storage = fit_storage(histories, law.systems, law.triples, rng=np.random.default_rng(1))
    for truth, fit in ((law.strength, strength), (law.storage, storage)):
        assert f1(truth, fit.values) >= 0.95
        found = (truth != 0) & fit.support
        assert fit.values[found] == pytest.approx(truth[found], rel=0.05)
        assert fit.probability[found].min() > 0.5
    assert np.sqrt(strength.constants) == pytest.approx(law.friction, rel=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = []
    for seed in range(4):
        law, histories = planted(seed=seed)
        fit = fit_storage(histories, law.systems, law.triples, rng=np.random.default_rng(1))
        found = (law.storage != 0) & fit.support
        inside += list((fit.low <= law.storage)[found] & (law.storage <= fit.high)[found])
    # Twelve loading cases are few for percentiles of a bootstrap, and noise in the columns is not corrected for.
    assert np.mean(inside) > 0.75


@pytest.mark.parametrize(("symmetric", "signed"), [((), ()), ((1, 2), ()), ((), (1, 2)), ((1, 2), (1, 2))])
def test_reduced_columns_are_the_sums_of_the_whole_tensor_s_columns(symmetric, signed):
    systems = slip_systems("hcp", ["basal a", "pyramidal II c+a", "tension twin"])
    orbits = interaction_orbits(systems, 3, symmetric, signed)
    rng = np.random.default_rng(0)
    products, values = rng.normal(size=(2, 7, 15 * 15)), rng.normal(size=len(orbits))
    whole = np.einsum("ip,cnp->cni", orbits.expand(values).reshape(15, -1), products)

    problem = ReducedProblem(lambda case: (products[case], whole[case]), np.arange(2), systems, orbits, constant=False)
    for family in range(3):
        columns = problem.columns(family)
        for matrix, target in problem.batches(family, columns):
            assert np.allclose(matrix @ values[columns], target)
    assert sum(len(problem.columns(family)) for family in range(3)) == len(orbits)


def test_readings_without_noise_give_the_law_to_the_error_of_the_differences():
    law, histories = planted(noise=0.0)
    strength = fit_strength(histories, law.systems, law.pairs, rng=np.random.default_rng(1))
    storage = fit_storage(histories, law.systems, law.triples, rng=np.random.default_rng(1))
    assert strength.values == pytest.approx(law.strength, abs=1e-6)
    assert storage.values == pytest.approx(law.storage, abs=0.01)


def test_a_symmetric_matrix_may_be_asked_for():
    law, histories = planted()
    orbits = interaction_orbits(law.systems, 2, symmetric=(0, 1))
    fit = fit_strength(histories, law.systems, orbits, rng=np.random.default_rng(1))
    tensor = orbits.expand(fit.values)
    assert np.array_equal(tensor, tensor.T)


def test_same_seed_same_fit():
    law, histories = planted()
    first, second = (fit_storage(histories, law.systems, law.triples, rng=np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.low, second.low)


def test_the_law_is_written_as_an_equation_of_each_family():
    law, histories = planted("hcp", ("basal a", "prismatic a", "pyramidal II c+a"))
    fit = fit_strength(histories, law.systems, law.pairs, rng=np.random.default_rng(1))
    basal, _, pyramidal = fit.equations(law.systems)
    assert str(basal).startswith("g²(0 0 0 1)[2 -1 -1 0] = ")
    assert sum(len(equation.coefficients) for equation in (basal, pyramidal)) > 2
    of_basal = fit.support & (law.systems.family[law.pairs.representatives[:, 0]] == 0)
    assert len(basal.coefficients) == 1 + np.count_nonzero(of_basal)


def test_strengths_that_do_not_change_are_friction():
    law, histories = planted(noise=0.0)
    still = replace(histories, strengths=np.full_like(histories.strengths, 20.0))
    fit = fit_strength(still, law.systems, law.pairs, rng=np.random.default_rng(0))
    assert not fit.support.any()
    assert fit.constants == pytest.approx([400.0])


def test_bad_input_is_named():
    law, histories = planted(cases=6, grains=2)
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="orbits are those of a tensor \\(12, 12\\), for 12 systems"):
        fit_storage(histories, law.systems, law.pairs, rng=rng)
    with pytest.raises(InputError, match="6 loading cases cannot be left out in 7 folds"):
        fit_strength(histories, law.systems, law.pairs, rng=rng, settings=InteractionSettings(folds=7))
    with pytest.raises(InputError, match="61 readings are fewer than the window's 99"):
        fit_strength(histories, law.systems, law.pairs, rng=rng, settings=InteractionSettings(window=99))
    with pytest.raises(InputError, match="the range is 2; give a share between 0 and 1"):
        LassoSettings(range=2)
    gap = replace(histories, densities=histories.densities.copy())
    gap.densities[3, 4, 5] = np.nan
    with pytest.raises(InputError, match="densities of grain 3, reading 4, system 5 is not finite"):
        fit_strength(gap, law.systems, law.pairs, rng=rng)
    still = replace(histories, densities=np.ones_like(histories.densities))
    with pytest.raises(InputError, match=r"densities of \(1 1 1\)\[1 -1 0\] never change; load further"):
        fit_storage(still, law.systems, law.triples, rng=rng)
