"""The hold-out of groups on errors of known size."""

import json

import numpy as np
import pytest

from mechlearn.evaluation import GroupHoldout, group_holdout


def test_group_holdout_says_what_it_costs():
    rng = np.random.default_rng(0)
    names = [f"group {index}" for index in range(10) for _ in range(30)]
    group_errors = np.repeat(rng.normal(scale=0.2, size=10), 30) + rng.normal(scale=0.01, size=300)
    found = group_holdout("quadratic", rng.normal(scale=0.01, size=400), group_errors, names, rng)
    assert found.ratio.value == pytest.approx(found.groups.value / found.random.value)
    assert 8 < found.ratio.low < found.ratio.value < found.ratio.high
    assert "a random hold-out alone flatters it." in found.sentence()
    assert [metric.value for metric in found.per_group] == sorted((m.value for m in found.per_group), reverse=True)
    assert GroupHoldout.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert "whole groups" in str(found)


def test_group_holdout_draws_groups_again_and_not_structures():
    rng = np.random.default_rng(0)
    names = [f"group {index}" for index in range(6) for _ in range(500)]
    group_errors = np.repeat(np.array([0.01, 0.01, 0.01, 0.01, 0.01, 1.0]), 500)
    found = group_holdout("m", rng.normal(size=3000), group_errors, names, rng)
    # One group of six carries it all: the next group may be nothing like it.
    assert found.groups.high > 2 * found.groups.low
