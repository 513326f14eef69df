"""The entropy potential: an analytic value, exact derivatives, and diversity that does what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.sampling import EntropyPotential, RepulsiveCore
from mechlearn.structures import StructureBatch


def _potential(weights: np.ndarray) -> EntropyPotential:
    return EntropyPotential(
        Bispectrum(twojmax=2), np.array([70.0, 5.0, 0.7, 7.0, 1.5]), RepulsiveCore(np.full(len(weights), 2.4)), weights
    )


def test_entropy_of_three_points() -> None:
    """Points at 0, 1 and 3 on a line: nearest distances 1, 1 and 2, S = (ln 3 + ln 3 + ln 6)/3."""
    batch = StructureBatch.from_arrays(np.zeros((3, 3)), 9 * np.eye(3)[None], np.full(3, 74, dtype=np.int32), [3])
    points = np.zeros((3, 5))
    points[:, 0] = [0.0, 70.0, 210.0]
    entropies, _ = replace(_potential(np.ones(1)), floor=0.0).entropy(points, batch)
    np.testing.assert_allclose(entropies[0], (2 * np.log(3) + np.log(6)) / 3)


def test_equal_environments_are_finite() -> None:
    """A perfect crystal has distance zero everywhere: S = ln(N·floor), forces zero, nothing NaN."""
    from ase.build import bulk

    batch = StructureBatch.from_atoms([bulk("W", cubic=True)])
    potential = _potential(np.array([-1.0]))
    evaluation = potential.evaluate(batch)
    assert np.isfinite(evaluation.energies).all()
    np.testing.assert_allclose(evaluation.forces, 0.0, atol=1e-9)
    entropies, _ = potential.entropy(potential.descriptor.compute(batch), batch)
    np.testing.assert_allclose(entropies, np.log(2 * potential.floor), atol=1e-6)


def test_forces_and_stress_against_finite_differences() -> None:
    rng = np.random.default_rng(12)
    batch = random_batch(rng, 6, largest=9)
    batch = batch.select(batch.sizes > 1)
    potential = _potential(np.where(np.arange(len(batch)) % 2, 1.0, -1.0))
    evaluation = potential.evaluate(batch)
    direction, step = rng.normal(size=(batch.atoms, 3)), 1e-6
    energies = [
        potential.evaluate(replace(batch, positions=batch.positions + sign * step * direction)).energies
        for sign in (1, -1)
    ]
    slope = (energies[0] - energies[1]) / (2 * step)
    work = -np.add.reduceat((evaluation.forces * direction).sum(axis=1), batch.offsets[:-1])
    np.testing.assert_allclose(work, slope, rtol=1e-5, atol=1e-5 * np.abs(slope).max())
    strain = np.diag([1.0 + step, 1.0, 1.0])
    back = np.diag([1.0 - step, 1.0, 1.0])
    stretched = [
        potential.evaluate(replace(batch, positions=batch.positions @ each, cells=batch.cells @ each)).energies
        for each in (strain, back)
    ]
    stress = (stretched[0] - stretched[1]) / (2 * step) / batch.volumes
    np.testing.assert_allclose(evaluation.stresses[:, 0], stress, rtol=1e-4, atol=1e-4 * np.abs(stress).max())


@pytest.mark.parametrize("radius", [2.4])
def test_core_is_smooth_at_its_edge(radius: float) -> None:
    """Energy and force vanish at r_core, the force quadratically."""
    potential = _potential(np.zeros(1))
    forces = []
    for gap in (0.02, 0.01):
        pair = StructureBatch.from_arrays(
            np.array([[0.0, 0, 0], [radius - gap, 0, 0]]), 20 * np.eye(3)[None], np.full(2, 74, dtype=np.int32), [2]
        )
        forces.append(np.abs(potential.evaluate(pair).forces).max())
    assert forces[0] / forces[1] == pytest.approx(4.0, rel=1e-6)
