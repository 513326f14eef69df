"""Batches: the labels they take from ASE, and how they show themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from mechlearn.structures import StructureBatch, StructureSet
from structures.sample import labelled_copper


@pytest.mark.parametrize(
    ("results", "energy"),
    [
        ({"energy": -1.0, "free_energy": -1.5}, -1.5),
        ({"energy": -1.0}, -1.0),
        ({"free_energy": -1.5}, -1.5),
        ({}, None),
    ],
)
def test_the_energy_is_the_one_whose_derivative_the_forces_are(results: dict[str, float], energy: float | None) -> None:
    """Codes with smeared electrons give forces of the free energy beside an energy extrapolated to no smearing."""
    atoms = bulk("W")
    atoms.calc = SinglePointCalculator(atoms, forces=np.zeros((1, 3)), **results)
    found = StructureBatch.from_atoms([atoms]).energies[0]
    assert np.isnan(found) if energy is None else found == energy


def test_a_batch_and_its_set_show_the_same_table_and_picture(tmp_path: Path) -> None:
    batch = labelled_copper(8)
    structures = StructureSet.create(tmp_path / "<set>")
    for part in (batch.select([0, 1, 2]), batch.select([3, 4, 5, 6, 7])):
        structures.append(part)
    shown, stored = batch._repr_html_(), structures._repr_html_()
    assert shown.partition("</p>")[2] == stored.partition("</p>")[2]
    assert "<td>group3</td><td>2</td><td>8</td>" in shown
    assert "<title>How often each energy occurs</title>" in shown
    assert "&lt;set&gt;" in stored


def test_what_has_no_energies_shows_no_picture() -> None:
    shown = StructureBatch.from_atoms([bulk("W")])._repr_html_()
    assert "<td>–</td><td>1</td><td>1</td><td>–</td>" in shown
    assert "<svg" not in shown
    assert "<table>" in StructureBatch.empty()._repr_html_()
