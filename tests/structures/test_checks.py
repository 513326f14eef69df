"""Label checks: a trap set on purpose is found, where none is set none is, and nothing is changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mechlearn.structures import LabelReport, StructureBatch, check_labels, read_structures
from mechlearn.structures.checks import _common_ratio
from mechlearn.structures.consistency import assess_consistency
from mechlearn.structures.environments import survey
from structures.sample import labelled_copper


@pytest.fixture(scope="module")
def copper() -> StructureBatch:
    return labelled_copper(80)


def _in(batch: StructureBatch, *groups: str) -> np.ndarray:
    return np.isin(np.array(batch.groups), groups)


def _kinds(report: LabelReport, *severities: str) -> set[str]:
    return {finding.kind for finding in report.findings if finding.severity in (severities or ("error", "warning"))}


def test_sound_labels_are_not_suspected(copper: StructureBatch) -> None:
    report = check_labels(copper)
    assert not report.findings
    assert set(report.offsets) == {"group0", "group1", "group2", "group3"}
    assert str(report).endswith("nothing suspect")
    assert report._repr_html_().endswith("nothing suspect</p>")


@pytest.mark.parametrize(
    ("factor", "message"),
    [(1e-3, "kbar given as bar"), (160.2177, "GPa given as eV/Å³"), (-1.0, "of the opposite sign")],
)
def test_a_slip_of_the_stress_unit_is_found(copper: StructureBatch, factor: float, message: str) -> None:
    slipped = _in(copper, "group2")
    batch = replace(copper, stresses=np.where(slipped[:, None], factor * copper.stresses, copper.stresses))
    (finding,) = check_labels(batch).of_kind("stress_units")
    assert finding.groups == ("group2",)
    assert finding.structures.tolist() == np.flatnonzero(slipped).tolist()
    assert message in finding.message
    assert finding.severity == "error"


def test_a_slip_of_all_groups_is_found_too(copper: StructureBatch) -> None:
    (finding,) = check_labels(replace(copper, stresses=1e-3 * copper.stresses)).of_kind("stress_units")
    assert len(finding.groups) == 4


@pytest.mark.parametrize("offset", [0.03, -0.2])
def test_an_energy_offset_is_found_and_measured(copper: StructureBatch, offset: float) -> None:
    batch = replace(copper, energies=copper.energies + offset * copper.sizes * _in(copper, "group1"))
    report = check_labels(batch)
    (finding,) = [each for each in report.of_kind("energy_offset") if each.severity == "warning"]
    assert finding.groups == ("group1",)
    found, error = report.offsets["group1"]
    assert abs(found - offset) < 5 * error + 1e-3
    assert error < 0.01


def test_zeros_that_stand_for_labels_are_found(copper: StructureBatch) -> None:
    still, relaxed = _in(copper, "group0"), _in(copper, "group3")
    batch = replace(
        copper,
        forces=np.where(still[copper.structure_of_atom][:, None], 0.0, copper.forces),
        stresses=np.where(relaxed[:, None], 0.0, copper.stresses),
    )
    forces, stress = check_labels(batch).of_kind("zero_label")
    assert (forces.groups, stress.groups) == (("group0",), ("group3",))


def test_zero_forces_that_symmetry_demands_are_sound() -> None:
    from ase.build import bulk

    crystals = StructureBatch.from_atoms([bulk("Cu", a=3.4 + 0.02 * step, cubic=True) for step in range(20)])
    batch = crystals.with_labels(np.arange(20.0), np.zeros((80, 3)))
    assert not check_labels(batch).of_kind("zero_label")


def test_absent_labels_are_noted(copper: StructureBatch) -> None:
    notes = check_labels(copper.without_labels()).of_kind("missing_label")
    assert [note.message.split("without ")[1].split()[0] for note in notes] == ["energy", "forces", "stress"]
    assert {note.severity for note in notes} == {"note"}


def test_numbers_that_are_not_finite_are_found(copper: StructureBatch) -> None:
    forces, energies, positions = copper.forces.copy(), copper.energies.copy(), copper.positions.copy()
    forces[0, 1] = np.nan
    energies[1] = np.inf
    positions[copper.offsets[2]] = np.nan
    report = check_labels(replace(copper, forces=forces, energies=energies, positions=positions))
    assert [finding.structures.tolist() for finding in report.of_kind("not_finite")] == [[2], [1], [0]]


def test_overlaps_across_the_cell_and_coincidences_are_found(copper: StructureBatch) -> None:
    positions = copper.positions.copy()
    # 0.4 Å from its neighbour's image across the cell; and, in the next one, exactly on such an image.
    positions[1] = positions[0] + copper.cells[0, 0] - [0.4, 0, 0]
    second = copper.offsets[1]
    positions[second + 1] = positions[second] + copper.cells[1, 1]
    batch = replace(copper, positions=positions)
    (finding,) = check_labels(batch).of_kind("overlap")
    assert finding.structures.tolist() == [0, 1]
    closest = survey(batch).closest
    np.testing.assert_allclose(closest[:2], [0.4, 0.0], atol=1e-9)


def test_a_cell_without_volume_is_found(copper: StructureBatch) -> None:
    cells = copper.cells.copy()
    cells[5, 2] = cells[5, 0]
    (finding,) = check_labels(replace(copper, cells=cells)).of_kind("singular_cell")
    assert finding.structures.tolist() == [5]


def test_near_duplicates_are_found_translated_and_turned(copper: StructureBatch) -> None:
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    copies = copper.select([3, 7, 11])
    copies = replace(
        copies,
        positions=(copies.positions + rng.normal(size=3)) @ rotation,
        cells=copies.cells @ rotation,
    )
    (finding,) = check_labels(StructureBatch.concatenate([copper, copies])).of_kind("near_duplicates")
    assert finding.structures.tolist() == [80, 81, 82]


def test_nothing_is_changed_and_order_does_not_matter(copper: StructureBatch) -> None:
    before = copper.positions.copy()
    order = np.random.default_rng(0).permutation(len(copper))
    slipped = replace(copper, stresses=copper.stresses * np.where(_in(copper, "group2"), 1e-3, 1.0)[:, None])
    report = check_labels(slipped.select(order))
    (finding,) = report.of_kind("stress_units")
    assert set(order[finding.structures]) == set(np.flatnonzero(_in(copper, "group2")))
    assert np.array_equal(before, copper.positions)


def test_a_report_prints_shows_and_serialises(copper: StructureBatch) -> None:
    report = check_labels(replace(copper, stresses=1e-3 * copper.stresses))
    assert str(report).splitlines()[0].endswith(": 1 error")
    assert "error" in str(report).splitlines()[1]
    assert "<table>" in report._repr_html_()
    assert json.loads(json.dumps(report.to_dict()))["structures"] == 80
    assert "nothing suspect" in str(check_labels(StructureBatch.empty()))


def test_few_structures_are_said_not_to_be_compared(copper: StructureBatch) -> None:
    report = check_labels(copper.select(np.arange(8)))
    assert {finding.kind for finding in report.findings} == {"not_checked"}
    assert "nothing suspect" in str(report)


def test_groups_that_no_offset_can_be_told_of_are_named_beside_one_that_is(copper: StructureBatch) -> None:
    """Copper drawn out to a gas resembles nothing: no offset of it can be told, nor is it accused of one."""
    factor = np.where(_in(copper, "group3"), 1.5, 1.0)
    cells = factor[:, None, None] * copper.cells
    positions = factor[copper.structure_of_atom][:, None] * copper.positions
    offset = 0.2 * copper.sizes * _in(copper, "group1")
    report = check_labels(replace(copper, cells=cells, positions=positions, energies=copper.energies + offset))
    (found,) = report.of_kind("energy_offset")
    (untold,) = report.of_kind("not_checked")
    assert (found.groups, untold.groups) == (("group1",), ("group3",))
    assert "too unlike the rest to tell" in untold.message


def test_ratios_that_scatter_are_no_slip() -> None:
    rng = np.random.default_rng(0)
    implied = rng.normal(size=50)
    assert _common_ratio(implied * 10 ** rng.normal(scale=2, size=50), implied) is None
    assert _common_ratio(1.3 * implied, implied) is None
    assert _common_ratio(1e-3 * implied, implied) == pytest.approx(1e-3)


@pytest.fixture(scope="module")
def tungsten(tungsten_data: Path) -> StructureBatch:
    return read_structures(tungsten_data)


def test_the_traps_of_the_tungsten_set_are_found(tungsten: StructureBatch) -> None:
    """The groups whose stress is in kbar are found and no other; so are the near-duplicates."""
    report = check_labels(tungsten)
    (units,) = report.of_kind("stress_units")
    assert set(units.groups) == {
        "EOS_Data",
        "Disordered_Struc",
        "Divacancy",
        *(f"BCC_ForceLib_{site}" for site in ("W110", "W111", "WOct", "WTet")),
    }
    assert "kbar given as bar" in units.message
    (duplicates,) = report.of_kind("near_duplicates")
    assert 300 < len(duplicates.structures) < 500
    assert _kinds(report) == {"stress_units", "near_duplicates"}


@pytest.mark.parametrize("carriers", [(), ("md_bulk", "slice_sample"), ("vacancy",)])
def test_an_offset_of_tungsten_groups_is_measured(tungsten: StructureBatch, carriers: tuple[str, ...]) -> None:
    """20 meV/atom added to whole groups of real labels come back within 5, and no other group is accused."""
    shift = 0.02 * tungsten.sizes * _in(tungsten, *carriers)
    found = assess_consistency(replace(tungsten, energies=tungsten.energies + shift))
    assert found is not None
    assert set(found.carriers) == set(carriers)
    for group in carriers:
        assert abs(found.offsets[found.groups.index(group)] - 0.02) < 5e-3
