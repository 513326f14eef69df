"""Comparing two sets: the numbers are those of the pure functions, however the sets are cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from ase.build import bulk
from jaxtyping import Float

import mechlearn.sampling.diversity as diversity
from mechlearn.descriptors.descriptor import Pullback
from mechlearn.errors import InputError
from mechlearn.evaluation.diversity import structure_entropy, zca_comparison
from mechlearn.sampling.diversity import SetComparison, compare_sets
from mechlearn.structures import StructureBatch


class Powers:
    """Three numbers of an atom: its coordinates with the third squared."""

    features = 3
    elements = ("W",)

    def compute(self, batch: StructureBatch) -> Float[np.ndarray, "atoms 3"]:
        return np.column_stack([batch.positions[:, :2], batch.positions[:, 2] ** 2])

    def pullback(self, batch: StructureBatch, gradient: Float[np.ndarray, "atoms 3"]) -> Pullback:
        raise NotImplementedError


class Pieces:
    """A set that is read in pieces of its own size."""

    def __init__(self, batch: StructureBatch, size: int) -> None:
        self.batch, self.size = batch, size

    def batches(self, structures_per_batch: int = 1024) -> Iterator[StructureBatch]:
        for start in range(0, len(self.batch), self.size):
            yield self.batch.select(np.arange(start, min(start + self.size, len(self.batch))))


def cloud(count: int, width: float, seed: int, *, labelled: bool = True) -> StructureBatch:
    """Structures of 8 atoms scattered by ``width``."""
    rng = np.random.default_rng(seed)
    images = [bulk("W", cubic=True).repeat((2, 2, 1)) for _ in range(count)]
    for atoms in images:
        atoms.positions = rng.normal(scale=width, size=(8, 3))
    batch = StructureBatch.from_atoms(images, group=f"width {width}")
    return batch.with_labels(rng.normal(size=count), np.zeros((batch.atoms, 3))) if labelled else batch


@pytest.fixture(scope="module")
def comparison() -> SetComparison:
    return compare_sets(cloud(40, 1.0, 0), cloud(60, 3.0, 1), Powers(), names=("narrow", "wide"))


def test_the_breadth_is_that_of_the_pure_function(comparison: SetComparison) -> None:
    narrow, wide = (Powers().compute(batch) for batch in (cloud(40, 1.0, 0), cloud(60, 3.0, 1)))
    np.testing.assert_allclose(comparison.second_over_first.widths, zca_comparison(narrow, wide).widths)
    np.testing.assert_allclose(comparison.first_over_second.widths, zca_comparison(wide, narrow).widths)
    assert comparison.second_over_first.broader == 3
    assert comparison.first_over_second.broader == 0


def test_energies_and_entropies_belong_to_their_structures(comparison: SetComparison) -> None:
    first, second = cloud(40, 1.0, 0), cloud(60, 3.0, 1)
    np.testing.assert_array_equal(comparison.first.energies, first.energies / 8)
    rows = [Powers().compute(batch) for batch in (first, second)]
    scale = np.concatenate(rows).std(axis=0)
    np.testing.assert_allclose(comparison.second.entropies, structure_entropy(rows[1], second.offsets, scale))
    assert comparison.second.entropies.mean() > comparison.first.entropies.mean()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pieces_do_not_matter(comparison: SetComparison, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "STRUCTURES_AT_ONCE", size)
    pieces = Pieces(cloud(60, 3.0, 1), size)
    again = compare_sets(cloud(40, 1.0, 0), pieces, Powers(), names=("narrow", "wide"))
    np.testing.assert_allclose(again.second_over_first.widths, comparison.second_over_first.widths, rtol=1e-9)
    np.testing.assert_allclose(again.second.entropies, comparison.second.entropies, rtol=1e-9)
    np.testing.assert_array_equal(again.second.sample, comparison.second.sample)


def test_the_sample_is_drawn_from_all_and_knows_its_structures() -> None:
    batch = cloud(50, 1.0, 3)
    profile = compare_sets(batch, batch, Powers(), sample=100).first
    assert profile.sample.shape == (100, 3)
    assert (np.diff(profile.sample_structures) >= 0).all()
    assert len(np.unique(profile.sample_structures)) > 30
    rows = Powers().compute(batch).reshape(50, 8, 3)
    for row, owner in zip(profile.sample, profile.sample_structures, strict=True):
        assert (rows[owner] == row).all(axis=1).any()


def test_it_shows_itself_and_goes_through_json(comparison: SetComparison) -> None:
    text, page = str(comparison), comparison._repr_html_()
    for word in ("narrow", "wide", "environments", "energy, eV/atom, median", "broader in 3 of 3 directions"):
        assert word in text
        assert word in page
    stored = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert stored["second_over_first"]["broader"] == 3
    assert (stored["first"]["structures"], stored["second"]["atoms"]) == (40, 480)
    assert sum(stored["explained_by_components_of_first"]["own"]) == pytest.approx(1.0)


def test_sets_without_labels_have_dashes_not_numbers() -> None:
    bare = cloud(5, 1.0, 0, labelled=False)
    comparison = compare_sets(bare, bare, Powers())
    assert comparison.to_dict()["first"]["energy_quantiles"] == [None] * 7
    assert "–" in str(comparison)


def test_an_empty_set_says_so() -> None:
    with pytest.raises(InputError, match="second holds no atoms"):
        compare_sets(cloud(3, 1.0, 0), StructureBatch.empty(), Powers())
    with pytest.raises(InputError, match="a sample of 0 environments"):
        compare_sets(cloud(3, 1.0, 0), cloud(3, 1.0, 0), Powers(), sample=0)
