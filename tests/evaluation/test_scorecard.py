"""Errors and scorecards: numbers by hand, units, groups, missing labels, messages."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation import Metric, Scorecard, regression_errors, regression_scorecard
from mechlearn.evaluation.tables import significant
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM


@dataclass(frozen=True, eq=False)
class Labels:
    energies: np.ndarray
    forces: np.ndarray
    stresses: np.ndarray
    offsets: np.ndarray
    groups: tuple[str, ...]


def labels(structures=40, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, size=structures)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    groups = tuple("bcc" if index % 4 else "liquid <hot>" for index in range(structures))
    return Labels(
        rng.normal(-8.0, 0.5, structures) * sizes,
        rng.normal(size=(offsets[-1], 3)),
        rng.normal(scale=0.01, size=(structures, 6)),
        offsets,
        groups,
    )


def noisy(reference, seed=1):
    rng = np.random.default_rng(seed)
    sizes = np.diff(reference.offsets)
    return replace(
        reference,
        energies=reference.energies + rng.normal(scale=0.02, size=len(sizes)) * sizes,
        forces=reference.forces + rng.normal(scale=0.1, size=reference.forces.shape),
        stresses=reference.stresses + rng.normal(scale=0.001, size=reference.stresses.shape),
    )


def test_regression_errors_by_hand():
    errors = regression_errors(np.array([1.0, 2.0, 7.0]), np.array([1.0, 4.0, 4.0]))
    assert errors.rmse == pytest.approx(np.sqrt(13 / 3))
    assert errors.mae == pytest.approx(5 / 3)
    assert errors.bias == pytest.approx(1 / 3)
    assert errors.maximum == 3.0
    assert errors.median == 2.0
    assert errors.r2 == pytest.approx(1 - 13 / 6)


@given(arrays(np.float64, 12, elements=st.floats(-50, 50)), st.floats(-100, 100))
def test_errors_do_not_depend_on_the_zero(reference, shift):
    predicted = reference + np.linspace(-1, 1, 12)
    here, there = (
        regression_errors(predicted, reference),
        regression_errors(predicted + shift, reference + shift),
    )
    assert here.rmse == pytest.approx(there.rmse)
    assert here.mae <= here.rmse * (1 + 1e-12) <= here.maximum * (1 + 2e-12)


def test_r2_of_a_constant_reference_is_not_a_number():
    assert np.isnan(regression_errors(np.array([1.0, 2.0]), np.array([3.0, 3.0])).r2)


def test_energy_is_per_atom_force_per_component_and_stress_in_gpa():
    reference = labels()
    sizes = np.diff(reference.offsets)
    predicted = replace(
        reference,
        energies=reference.energies + 0.5 * sizes,
        forces=reference.forces + 0.25,
        stresses=reference.stresses + 0.001,
    )
    card = regression_scorecard("shifted", predicted, reference, np.random.default_rng(0), draws=50)
    assert card["energy RMSE"].value == pytest.approx(0.5)
    assert card["energy RMSE"].unit == "eV/atom"
    assert card["force RMSE"].value == pytest.approx(0.25)
    assert card["force RMSE"].count == 3 * reference.offsets[-1]
    assert card["stress RMSE"].value == pytest.approx(0.001 * GPA_PER_EV_PER_CUBIC_ANGSTROM)
    assert any("constant offset of 0.500 eV/atom" in note for note in card.notes)


def test_every_quantity_has_more_than_one_number_with_intervals():
    reference = labels()
    card = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=200)
    for quantity in ("energy", "force", "stress"):
        for name in ("RMSE", "MAE", "R²", "error, 99% below"):
            metric = card[f"{quantity} {name}"]
            assert metric.low <= metric.value <= metric.high, metric
        assert card[f"{quantity} MAE"].value < card[f"{quantity} RMSE"].value
    assert card["force RMSE"].low < 0.1 < card["force RMSE"].high
    assert card["energy RMSE"].low < 0.02 < card["energy RMSE"].high


def test_rows_by_group_add_up_to_the_whole():
    reference = labels()
    card = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=50)
    assert {row.group for row in card.per_group} == {"bcc", "liquid <hot>"}
    assert sum(row.structures for row in card.per_group) == 40
    squares = sum(row.metrics[0].count * row.metrics[0].value ** 2 for row in card.per_group)
    assert squares / 40 == pytest.approx(card["energy RMSE"].value ** 2)
    assert card.per_group[0].metrics[0].value >= card.per_group[1].metrics[0].value


def test_missing_labels_are_left_out_and_said():
    reference = labels()
    reference.energies[:3] = np.nan
    reference.stresses[:] = np.nan
    predicted = replace(noisy(labels()), stresses=np.zeros((40, 6)))
    card = regression_scorecard("fit", predicted, reference, np.random.default_rng(0), draws=50)
    assert card["energy RMSE"].count == 37
    assert "3 of 40 structures have no energy label." in card.notes
    assert "No stresses were compared." in card.notes


def test_specimens_widen_the_interval():
    reference = labels(200)
    sizes = np.diff(reference.offsets)
    shared = np.repeat(np.random.default_rng(5).normal(scale=0.02, size=20), 10)
    predicted = replace(reference, energies=reference.energies + shared * sizes)
    widths = []
    for specimens in (None, np.repeat(np.arange(20), 10)):
        card = regression_scorecard("fit", predicted, reference, np.random.default_rng(0), specimens=specimens)
        widths.append(card["energy RMSE"].high - card["energy RMSE"].low)
    assert widths[1] > 2 * widths[0]


def test_json_there_and_back():
    reference = labels()
    reference.stresses[:] = np.nan
    card = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=50)
    stored = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    again = Scorecard.from_dict(stored)
    assert again.to_dict() == card.to_dict()
    assert np.isnan(again["energy error, largest"].low)


def test_tables_hold_units_and_escape_names():
    reference = labels()
    card = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=50)
    assert "eV/atom" in str(card)
    assert "force RMSE (eV/Å)" in str(card)
    assert "liquid &lt;hot&gt;" in card._repr_html_()
    assert "<hot>" not in card._repr_html_()


def test_a_scorecard_shows_a_picture_of_each_quantity():
    reference = labels()
    shown = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=50)._repr_html_()
    for quantity in ("energy", "force", "stress"):
        assert f"<title>{quantity} RMSE by group</title>" in shown


def test_round_off_is_shown_as_zero_and_kept_in_the_numbers():
    """Where symmetry makes all forces zero, what is left of them is the computer's."""
    reference = labels()
    still = np.repeat(np.array([group == "bcc" for group in reference.groups]), np.diff(reference.offsets))
    rounding = 1e-15 * np.random.default_rng(2).normal(size=reference.forces.shape)
    reference.forces[still] = rounding[still]
    predicted = noisy(reference)
    predicted.forces[still] = 0.0
    card = regression_scorecard("fit", predicted, reference, np.random.default_rng(0), draws=50)
    force = next(
        metric for row in card.per_group if row.group == "bcc" for metric in row.metrics if "force" in metric.name
    )
    assert 0 < force.value < 1e-14
    assert str(force) == "0 eV/Å (0 to 0)"
    assert "e-1" not in str(card).split("Note")[0]
    assert "Numbers below 1e-10 of their unit are round-off, and shown as 0." in card.notes


def test_forces_that_are_all_round_off_have_no_r2():
    reference = labels()
    reference.forces[:] = 1e-16 * reference.forces
    card = regression_scorecard("fit", noisy(reference), reference, np.random.default_rng(0), draws=50)
    assert np.isnan(card["force R²"].value)
    assert card["energy R²"].value > 0.9


def test_unknown_metric_names_those_there_are():
    with pytest.raises(KeyError, match="it has energy RMSE"):
        Scorecard("t", (Metric("energy RMSE", 1.0),))["accuracy"]


def test_a_failed_prediction_is_an_error_and_not_left_out():
    reference = labels()
    predicted = noisy(reference)
    predicted.forces[5, 1] = np.nan
    with pytest.raises(WorkError, match=r"1 of \d+ predictions are not finite, the first at index \(5, 1\)"):
        regression_scorecard("fit", predicted, reference, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energies": np.zeros(7)}, r"predictions of shape \(7,\) but references of shape \(40,\)"),
        ({"forces": np.zeros((7, 3))}, "force components: predictions of shape"),
    ],
)
def test_shapes_that_differ_are_named(change, message):
    reference = labels()
    with pytest.raises(InputError, match=message):
        regression_scorecard("fit", replace(reference, **change), reference, np.random.default_rng(0))


def test_nothing_labelled_is_said():
    empty = replace(
        labels(),
        energies=np.full(40, np.nan),
        forces=labels().forces * np.nan,
        stresses=np.full((40, 6), np.nan),
    )
    with pytest.raises(InputError, match="no structure has an energy, force or stress label"):
        regression_scorecard("fit", labels(), empty, np.random.default_rng(0))


@given(st.floats(1e-12, 1e12), st.integers(1, 6))
def test_significant_digits_keep_the_number(value, digits):
    assert float(significant(value, digits)) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits))
