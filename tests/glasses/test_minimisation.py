"""The minimiser: it reaches what is asked, says what it reached and what it cost, and comes out of traps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from glassy_cells import random_structure, relaxed
from mechlearn.errors import InputError
from mechlearn.glasses.rest.displacements import displaced
from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import Evaluation, PairPoint, SmoothPoint, kob_andersen, with_derivatives
from mechlearn.structures import StructureBatch

PARTICLES = kob_andersen()


@dataclass(frozen=True)
class Counted:
    """Kob–Andersen particles that count how often they are asked, and may lie about their curvature."""

    lie: float = 1.0
    asked: list[str] = field(default_factory=list)
    elements: tuple[str, ...] = PARTICLES.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        return PARTICLES.evaluate(batch)

    def at(self, structure: StructureBatch, kept: Any = None) -> SmoothPoint:
        self.asked.append("point")
        return CountedPoint(**vars(PARTICLES.at(structure, kept)), lie=self.lie, asked=self.asked)


@dataclass(frozen=True, eq=False)
class CountedPoint(PairPoint):
    lie: float = 1.0
    asked: list[str] = field(default_factory=list)

    def hessian_product(self, displacements: np.ndarray) -> np.ndarray:
        self.asked.append("product")
        return self.lie * super().hessian_product(displacements)


@dataclass(frozen=True)
class ForcesOnly:
    """Kob–Andersen particles without their second derivatives."""

    elements: tuple[str, ...] = PARTICLES.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        return PARTICLES.evaluate(batch)


@pytest.fixture(scope="module")
def shaken() -> StructureBatch:
    """40 particles close to a minimum."""
    rng = np.random.default_rng(3)
    structure = relaxed(PARTICLES, random_structure(("Ni", "Ni", "P"), 40, 1 / 1.2, rng), 1e-10)
    return displaced(structure, rng.normal(scale=0.02, size=(40, 3)))


def test_a_minimum_is_reached_and_counted(shaken: StructureBatch) -> None:
    potential = Counted()
    minimum = minimise(potential, shaken, MinimisationSettings(largest_force=1e-9))
    assert minimum.converged
    rest = minimum.point.structure
    # A pass over fresh neighbours says the same, and an independent minimiser has nothing left to do.
    assert np.abs(PARTICLES.evaluate(rest).forces).max() <= 1.01e-9
    assert np.linalg.eigvalsh(PARTICLES.at(rest).hessian().matrix().toarray())[:4].min() > -1e-9
    assert PARTICLES.at(relaxed(PARTICLES, shaken)).energy == pytest.approx(minimum.point.energy, abs=1e-10)
    assert minimum.effort.evaluations == potential.asked.count("point")
    assert minimum.effort.products == potential.asked.count("product")
    np.testing.assert_array_equal(rest.cells, shaken.cells)


def test_what_was_not_reached_is_said(shaken: StructureBatch) -> None:
    minimum = minimise(PARTICLES, shaken, MinimisationSettings(evaluations=3))
    assert not minimum.converged
    assert minimum.effort.evaluations == 3
    assert minimum.largest_force == np.abs(minimum.point.forces).max() > 1e-6


@pytest.mark.parametrize("lie", [-1.0, 1e-3], ids=["upside down", "too soft"])
def test_a_wrong_curvature_does_not_mislead(shaken: StructureBatch, lie: float) -> None:
    minimum = minimise(Counted(lie), shaken)
    assert minimum.converged
    assert np.abs(PARTICLES.evaluate(minimum.point.structure).forces).max() <= 1.01e-6


def test_it_leaves_a_saddle_by_the_curvature() -> None:
    """Two particles at rest in a box, and between them a third, which a nudge sends to one of them."""
    positions = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [1.5, 0.0, 0.0]])
    species = np.array([28, 28, 28])
    line = StructureBatch.from_arrays(positions, 20.0 * np.eye(3)[None], species, [3])
    nudged = displaced(line, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1e-6, 0.0, 0.0]]))
    assert np.linalg.eigvalsh(PARTICLES.at(line).hessian().matrix().toarray()).min() < -1.0
    minimum = minimise(PARTICLES, nudged)
    assert minimum.converged
    assert minimum.point.energy < PARTICLES.at(line).energy - 0.5


def test_forces_alone_will_do(shaken: StructureBatch) -> None:
    settings = MinimisationSettings(largest_force=1e-6)
    minimum = minimise(with_derivatives(ForcesOnly()), shaken, settings)
    assert minimum.converged
    assert minimum.point.energy == pytest.approx(minimise(PARTICLES, shaken, settings).point.energy, abs=1e-9)


def test_it_gives_up_where_it_is_told(shaken: StructureBatch) -> None:
    far = minimise(PARTICLES, shaken, within=1e-3)
    assert not far.converged
    assert far.effort.evaluations < minimise(PARTICLES, shaken).effort.evaluations


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="largest_force is -1"):
        replace(MinimisationSettings(), largest_force=-1.0)
