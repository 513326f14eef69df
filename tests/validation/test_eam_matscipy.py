"""The Hessian of embedded-atom potentials is matscipy's."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.engines import potential_file
from mechlearn.interactions import read_eam
from mechlearn.structures import StructureBatch


def test_hessian() -> None:
    """matscipy's cubics have continuous curvatures, as ours have with ``smooth``."""
    eam = pytest.importorskip("matscipy.calculators.eam", reason="matscipy, whose Hessian is the oracle, is absent")
    rng = np.random.default_rng(1)
    atoms = bulk("Ni", a=3.52, cubic=True).repeat(4)
    atoms.set_chemical_symbols(list(rng.choice(["Ni", "Al"], len(atoms))))
    atoms.rattle(0.15, rng=rng)
    path = potential_file("NiAlH_jea.eam.alloy")
    calculator = eam.EAM(str(path))
    atoms.calc = calculator
    point = read_eam(path, smooth=True).at(StructureBatch.from_atoms([atoms]))
    expected = calculator.calculate_hessian_matrix(atoms).toarray()
    assert point.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
    assert np.allclose(point.hessian().matrix().toarray(), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
