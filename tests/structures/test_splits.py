"""Splits: disjoint, complete, whole groups, recorded, repeatable."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mechlearn.errors import InputError
from mechlearn.structures import Split, split_by_group, split_by_origin, split_random
from structures.sample import random_batch


def _parts(split: Split) -> list[list[int]]:
    return [split.train.tolist(), split.validation.tolist(), split.test.tolist()]


@given(count=st.integers(3, 200), train=st.floats(0.1, 0.8), seed=st.integers(0, 99))
def test_a_random_split_is_disjoint_complete_and_in_proportion(count: int, train: float, seed: int) -> None:
    fractions = (train, (1 - train) / 2, 1 - train - (1 - train) / 2)
    split = split_random(count, fractions, rng=np.random.default_rng(seed))
    assert sorted(chain(*_parts(split))) == list(range(count))
    for fraction, part in zip(fractions, _parts(split), strict=True):
        assert abs(len(part) - fraction * count) < 2
        assert part
    assert _parts(split) == _parts(split_random(count, fractions, rng=np.random.default_rng(seed)))


@given(fraction=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_groups_are_held_out_whole(fraction: float, seed: int) -> None:
    assume(fraction < 0.6)
    batch = random_batch(60)
    split = split_by_group(batch, fraction, validation=0.1, rng=np.random.default_rng(seed))
    assert sorted(chain(*_parts(split))) == list(range(60))
    held = {batch.groups[index] for index in split.test}
    assert held == set(split.held_out)
    assert held
    assert not held & {batch.groups[index] for index in (*split.train, *split.validation)}
    assert len(split.validation) == 6


def test_named_groups_and_origins_are_held_out() -> None:
    batch = random_batch(9)
    split = split_by_group(batch, ["bcc"], rng=np.random.default_rng(0))
    assert split.test.tolist() == [0, 3, 6]
    assert split.held_out == ("bcc",)
    with pytest.raises(InputError, match=r"splitting by group: 'fcc' is not in the set; choose from"):
        split_by_group(batch, ["fcc"], rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="splitting by origin: the set has 1"):
        split_by_origin(batch, 0.2, rng=np.random.default_rng(0))


def test_a_split_survives_json() -> None:
    split = split_by_group(random_batch(30), 0.3, rng=np.random.default_rng(np.random.SeedSequence(7).spawn(3)[2]))
    again = Split.from_json(split.to_json())
    assert (_parts(again), again.method, again.held_out) == (_parts(split), "group", split.held_out)
    assert again.seed == "7/2"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"train":[0],"validation":[0],"test":[],"method":"random","held_out":[],"seed":""}'],
)
def test_a_split_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"reading a split: .* again"):
        Split.from_json(text)


def test_fractions_that_cannot_be_met_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="add up to 1"):
        split_random(10, (0.5, 0.1, 0.1), rng=rng)
    with pytest.raises(InputError, match="too few"):
        split_random(2, (0.5, 0.25, 0.25), rng=rng)
    with pytest.raises(InputError, match="hold out or validate on fewer"):
        split_by_group(random_batch(9), ["bcc", ""], validation=0.9, rng=rng)
