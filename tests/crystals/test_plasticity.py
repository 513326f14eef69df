"""Histories obey the law they were made from."""

import numpy as np
import pytest

from mechlearn.crystals.plasticity import LoadingSettings, planted_law, taylor_histories
from mechlearn.crystals.slip import slip_systems
from mechlearn.errors import InputError


def histories(lattice="fcc", seed=0, **settings):
    """A law of a lattice and histories of it: the same grains and loadings for any number of steps."""
    systems = slip_systems(lattice)
    law = planted_law(systems, np.random.default_rng(seed), share_of_storage=0.1)
    return law, taylor_histories(law, LoadingSettings(**settings), rng=np.random.default_rng(seed + 1))


def test_strengths_and_storage_are_those_of_the_whole_tensors():
    law, history = histories(cases=3, grains=2, steps=4)
    densities, slip_rates = history.densities.reshape(-1, 12), history.slip_rates.reshape(-1, 12)
    H, K = law.pairs.expand(law.strength), law.triples.expand(law.storage)
    friction = law.friction[law.systems.family]
    squares = friction**2 + np.einsum("ij,nj->ni", H, densities)
    assert np.allclose(history.strengths.reshape(-1, 12) ** 2, squares)
    rates = np.einsum("ijk,nj,nk->ni", K, densities, slip_rates)
    assert np.allclose(law.storage_rates(densities, slip_rates), rates)


def test_densities_converge_in_second_order_of_the_step():
    ends = [histories(cases=3, grains=3, steps=steps)[1].densities[:, -1] for steps in (10, 20, 40, 80)]
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    # Against the finest run, errors of second order fall by (1 − 1/64)/(1/4 − 1/64) = 4.2, then by 5.
    assert errors[0] / errors[1] == pytest.approx(4.2, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(5.0, rel=0.25)


def test_densities_stay_positive_and_differ():
    _, history = histories("hcp", cases=2, grains=20, steps=20)
    assert history.densities.min() > 0
    assert history.densities[:, 0].std() > 0.5


def test_no_system_annihilates_others():
    law, _ = histories("hcp", cases=1, grains=1, steps=1)
    i, j, k = law.triples.representatives.T
    assert np.all(law.storage[i != j] >= 0)
    assert np.all(law.storage[(i == j) & (j == k)] > 0)
    assert np.all(law.storage[(i == j) & (j != k)] <= 0)


def test_shares_of_a_planted_law():
    systems = slip_systems("hcp")
    law = planted_law(systems, np.random.default_rng(3), share_of_strength=0.5, share_of_storage=0.01)
    assert np.count_nonzero(law.strength) == 76
    assert np.count_nonzero(law.storage) == 51
    with pytest.raises(InputError, match="share of non-zero entries is 27"):
        planted_law(systems, np.random.default_rng(3), share_of_strength=27)


def test_noise_has_the_spread_it_is_given():
    _, history = histories(cases=10, grains=10, steps=30)
    noisy = history.with_noise(0.2, np.random.default_rng(0))
    for name in ("densities", "slip_rates", "strengths"):
        plain = getattr(history, name)
        spread = (getattr(noisy, name) - plain).std(axis=(0, 1)) / plain.std(axis=(0, 1))
        assert spread == pytest.approx(np.full(12, 0.2), rel=0.1)


def test_same_seed_same_histories():
    assert np.array_equal(
        histories(cases=2, grains=2, steps=3)[1].densities, histories(cases=2, grains=2, steps=3)[1].densities
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cases": 0}, "cases is 0; give a positive number"),
        ({"strain": -0.1}, "strain is -0.1"),
        ({"densities": (2.0, 1.0)}, "two positive bounds, in order"),
    ],
)
def test_bad_input_is_named(settings, message):
    with pytest.raises(InputError, match=message):
        LoadingSettings(**settings)
