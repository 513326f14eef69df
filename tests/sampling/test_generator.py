"""The generator: reproducible for any cut, diverse as it says, and resumable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.sampling import (
    AnnealingSchedule,
    Disturbance,
    EntropyPotential,
    FireSettings,
    GenerationSettings,
    RepulsiveCore,
    generate,
    generate_structures,
)
from mechlearn.sampling.generator import WIDE, reference_scale
from mechlearn.structures import StructureBatch, StructureSet
from mechlearn.structures.neighbours import neighbour_pairs

QUICK = GenerationSettings(atomic_volume=15.9, largest=16, minimisation=FireSettings(steps=20)).annealed(
    AnnealingSchedule(rounds=2, steps=5)
)


def at_rest(settings: GenerationSettings) -> GenerationSettings:
    """The same, neither opened nor shaken."""
    halves = (replace(half, disturbance=Disturbance()) for half in (settings.maximised, settings.minimised))
    return replace(settings, **dict(zip(("maximised", "minimised"), halves, strict=True)))


def test_any_cut_gives_the_same_bits() -> None:
    whole = generate_structures(QUICK, range(8), seed=3)
    for part in (range(3), range(3, 8)):
        alone = generate_structures(QUICK, part, seed=3)
        np.testing.assert_array_equal(alone.positions, whole.select(np.array(part)).positions)


def test_seeds_differ() -> None:
    one, other = (generate_structures(QUICK, range(2), seed=seed) for seed in (0, 1))
    assert one.atoms != other.atoms or not np.allclose(one.positions, other.positions)


def test_maximised_above_random_above_minimised() -> None:
    """Each half moves its entropy the way its name says, by far more than the spread of the mean."""
    strong = replace(QUICK.maximised, weakest=0.5, strongest=1.0)
    settings = at_rest(replace(QUICK, smallest=16, maximised=strong, minimised=strong))
    batch = generate_structures(settings, range(24), seed=5)
    weak = replace(QUICK.maximised, weakest=1e-9, strongest=1e-9)
    still = replace(settings, maximised=weak, minimised=weak)
    plain = generate_structures(still, range(24), seed=5)
    core = RepulsiveCore(np.full(24, 2.4))
    potential = EntropyPotential(settings.descriptor, reference_scale(settings), core, np.ones(24))
    entropy, random = (potential.entropy(settings.descriptor.compute(each), each)[0] for each in (batch, plain))
    assert entropy[::2].mean() > random.mean() + 0.3
    assert entropy[1::2].mean() < random.mean() - 0.3


def test_the_ordered_half_crystallises() -> None:
    """Its atoms are alike far more often than those of random packings: the share with a twin in descriptor space."""
    settings = at_rest(GenerationSettings(atomic_volume=15.9, smallest=8, largest=16))
    ordered = generate_structures(settings, range(1, 33, 2), seed=8)
    packed = generate_structures(
        replace(settings, minimised=replace(WIDE, weakest=1e-9, strongest=1e-9)), range(1, 33, 2), 8
    )
    assert _share_of_like_atoms(settings, ordered) > 0.4
    assert _share_of_like_atoms(settings, packed) < 0.1


def _share_of_like_atoms(settings: GenerationSettings, batch: StructureBatch) -> float:
    """The share of atoms with another of the same surroundings in their structure, to 2% of the reference's spread."""
    points = settings.descriptor.compute(batch) / reference_scale(settings)
    like = []
    for first, last in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        apart = np.linalg.norm(points[first:last, None] - points[None, first:last], axis=2)
        like += (apart + 9 * np.eye(last - first)).min(axis=1).tolist()
    return float(np.mean(np.array(like) < 0.02))


def test_atoms_keep_apart_and_cells_keep_to_the_range() -> None:
    batch = generate_structures(at_rest(QUICK), range(16), seed=2)
    assert neighbour_pairs(batch, 3.0).distances.min() > 0.6 * WIDE.smallest_core * 15.9 ** (1 / 3)
    ratio = batch.volumes / batch.sizes / 15.9
    assert ratio.min() > WIDE.densest - 1e-9
    assert ratio.max() < WIDE.loosest + 1e-9
    assert batch.sizes.min() >= QUICK.smallest
    assert batch.sizes.max() <= QUICK.largest


def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A set that lost its last part has, made again, the bytes of one made at once."""
    once, twice = tmp_path / "once", tmp_path / "twice"
    for folder in (once, twice):
        generate(QUICK, 70, folder, seed=4)
    lost = StructureSet.open(twice).parts[-1]
    lost.unlink()
    generate(QUICK, 70, twice, seed=4)
    files = sorted(path.name for path in once.iterdir())
    assert files == sorted(path.name for path in twice.iterdir())
    assert all((once / name).read_bytes() == (twice / name).read_bytes() for name in files)
    assert len(StructureSet.open(once)) == 70


def test_refuses_a_folder_of_other_settings(tmp_path: Path) -> None:
    generate(QUICK, 2, tmp_path / "set", seed=4)
    with pytest.raises(InputError, match=r"was made otherwise \(seed is 4 there and 5 here\)"):
        generate(QUICK, 2, tmp_path / "set", seed=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smallest": 1}, "give 2 ≤ smallest"),
        ({"cutoff": 0.0}, "cutoff is 0.0"),
        ({"elements": ("Qq",)}, "unknown elements"),
    ],
)
def test_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(QUICK, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"densest": 2.0}, "densest ≤ loosest"),
        ({"smallest_core": 2.0}, "smallest_core ≤ largest_core"),
        ({"weakest": 0.0}, "weakest ≤ strongest"),
    ],
)
def test_refuses_an_empty_range(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(WIDE, **change)


def test_volume_of_an_element() -> None:
    """W: bcc, a = 3.16 Å, a³/2 = 15.8 Å³; the cells of an element without a simple crystal must be told."""
    assert GenerationSettings(("W",)).volume == pytest.approx(15.8, abs=0.1)
    with pytest.raises(InputError, match="give atomic_volume"):
        _ = GenerationSettings(("P",)).volume
