"""The audit finds the fault of a feature that has one, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.descriptors import Bispectrum
from mechlearn.descriptors.audit import FeatureAudit, audit_features
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

CUTOFF = 4.0


def disordered() -> StructureBatch:
    atoms = bulk("W", a=3.2, cubic=True) * (3, 3, 3)
    atoms.rattle(0.3, seed=1)
    return StructureBatch.from_atoms([atoms])


def summed(structure: StructureBatch, weights: np.ndarray) -> np.ndarray:
    """Σ_j w(r_ij), ending smoothly at the cutoff where the weights do."""
    pairs = neighbour_pairs(structure, CUTOFF)
    return np.bincount(pairs.first, weights, structure.atoms)[:, None]


def smooth(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    """A good feature: how stretched the surroundings are along the loading."""
    pairs = neighbour_pairs(structure, CUTOFF)
    stretch = np.einsum("pa,ab,pb->p", pairs.vectors, gradient, pairs.vectors)
    return summed(structure, stretch * (1.0 - (pairs.distances / CUTOFF) ** 2) ** 2)


def fixed_axis(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    return smooth(structure, np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))


def place(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    # A fifth of the way along the cell, not wrapped: it is turned along with the cell, but knows where atoms are.
    return smooth(structure, gradient) + np.linalg.solve(structure.cells[0].T, structure.positions.T)[0][:, None]


def numbered(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    return smooth(structure, gradient) + np.sin(np.arange(structure.atoms))[:, None]


def counted(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    pairs = neighbour_pairs(structure, CUTOFF)
    return np.concatenate([smooth(structure, gradient), summed(structure, np.ones(len(pairs.first)))], axis=1)


def ranked(structure: StructureBatch, gradient: np.ndarray) -> np.ndarray:
    values = smooth(structure, gradient)
    return values / structure.atoms


@pytest.mark.parametrize(
    ("features", "faults"),
    [
        (smooth, set()),
        (fixed_axis, {"rotation"}),
        (place, {"translation", "doubled"}),
        (numbered, {"permutation", "doubled"}),
        (counted, {"jump"}),
        (ranked, {"doubled"}),
    ],
)
def test_finds_the_fault(features: object, faults: set[str]) -> None:
    audit = audit_features(features, disordered(), rng=np.random.default_rng(2))  # type: ignore[arg-type]
    criteria = ("rotation", "translation", "permutation", "jump", "doubled")
    assert {name for name in criteria if audit.failing(name)} == faults
    assert audit.seconds > 0.0
    if features is counted:
        assert audit.failing("jump") == ("1",)
        assert audit.verdicts["continuity"] is False
    assert str(audit).count("\n") == 8


def test_what_cannot_be_rebuilt() -> None:
    """A few numbers an atom leave motions unseen; thirty of them see all."""
    atoms = bulk("W", a=3.2, cubic=True)
    atoms.rattle(0.3, seed=1)
    structure = StructureBatch.from_atoms([atoms * (2, 1, 1)])
    structure.positions[:] += np.random.default_rng(4).normal(0.0, 0.1, structure.positions.shape)

    def audited(features: object) -> FeatureAudit:
        return audit_features(features, structure, rng=np.random.default_rng(2), lossless=True)  # type: ignore[arg-type]

    poor, rich = audited(smooth), audited(Bispectrum(("W",), cutoff=4.73, twojmax=6))
    # One number each for four atoms cannot tell nine directions apart.
    assert poor.directions == 3 * 4 - 3 - 4
    assert rich.directions == 0
    assert rich.verdicts == {"symmetry": True, "continuity": True, "cost": None, "size": True, "lossless": True}


def test_refusals() -> None:
    two = StructureBatch.concatenate([disordered(), disordered()])
    with pytest.raises(InputError, match="one structure"):
        audit_features(smooth, two, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="a row of numbers an atom"):
        audit_features(lambda structure, gradient: np.ones(3), disordered(), rng=np.random.default_rng(0))
