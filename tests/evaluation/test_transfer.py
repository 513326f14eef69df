"""The transfer matrix on errors of known size."""

import json

import numpy as np
import pytest

from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation import TransferMatrix


def matrix(seed=0):
    rng = np.random.default_rng(seed)
    scale = {("EM", "EM"): 0.01, ("DE", "EM"): 0.4, ("EM", "DE"): 0.012, ("DE", "DE"): 0.004}
    errors = {pair: sigma * rng.normal(size=2000) for pair, sigma in scale.items()}
    return TransferMatrix.from_errors("quadratic, D = 30,", errors, rng, draws=300), errors


def test_rmse_and_ratio_are_those_of_the_errors():
    found, errors = matrix()
    for (trained, tested), values in errors.items():
        cell = found[trained, tested]
        assert cell.rmse.value == pytest.approx(np.sqrt(np.mean(values**2)))
        assert cell.worst_percent == pytest.approx(np.quantile(np.abs(values), 0.99))
        assert cell.rmse.low < cell.rmse.value < cell.rmse.high
    assert found["EM", "EM"].ratio.value == 1.0
    expected = found["DE", "EM"].rmse.value / found["EM", "EM"].rmse.value
    assert found["DE", "EM"].ratio.value == pytest.approx(expected)
    assert found["DE", "EM"].ratio.low < 40 < found["DE", "EM"].ratio.high


def test_histograms_hold_every_error():
    found, _ = matrix()
    assert all(sum(cell.histogram) == 2000 for cell in found.cells)
    steps = np.diff(np.log10(found.edges))
    assert np.allclose(steps, steps[0])


def test_sentences_are_plain_and_worst_first():
    first, second = matrix()[0].sentences()
    assert first.startswith("Trained on DE and tested on EM, quadratic, D = 30, is 40 times worse (")
    assert "the same model trained on EM (RMSE 0.398 against" in first
    assert second.startswith("Trained on EM and tested on DE")


def test_paired_ratio_is_sharper_than_the_two_errors():
    rng = np.random.default_rng(0)
    # A few hard structures dominate both models' errors alike: the ratio knows it, the two intervals do not.
    own = rng.normal(size=500) * np.where(np.arange(500) % 50, 0.01, 1.0)
    found = TransferMatrix.from_errors("m", {("b", "b"): own, ("a", "b"): 3 * own}, rng)
    assert found["a", "b"].ratio.low == pytest.approx(3.0)
    assert found["a", "b"].ratio.high == pytest.approx(3.0)
    assert found["a", "b"].rmse.high / found["a", "b"].rmse.low > 1.5


def test_equal_models_are_not_called_different():
    rng = np.random.default_rng(0)
    errors = {("b", "b"): rng.normal(size=300), ("a", "b"): rng.normal(size=300)}
    assert "not measurably different" in TransferMatrix.from_errors("m", errors, rng).sentences()[0]


def test_a_set_nothing_was_trained_on_has_no_ratio():
    rng = np.random.default_rng(0)
    found = TransferMatrix.from_errors("m", {("a", "a"): np.ones(5), ("a", "other"): np.ones(9)}, rng)
    assert np.isnan(found["a", "other"].ratio.value)
    assert found.sentences() == ()


def test_json_there_and_back():
    found, _ = matrix()
    again = TransferMatrix.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again.to_dict() == found.to_dict()
    assert str(again) == str(found)
    assert "<table>" in again._repr_html_()


def test_perfect_predictions_do_not_divide_by_zero():
    found = TransferMatrix.from_errors("m", {("a", "a"): np.zeros(5)}, np.random.default_rng(0))
    assert found["a", "a"].rmse.value == 0
    assert np.isnan(found["a", "a"].ratio.value)


@pytest.mark.parametrize(
    ("errors", "kind", "message"),
    [
        ({}, InputError, "no errors were given"),
        (
            {("a", "a"): np.ones(3), ("b", "c"): np.ones(3)},
            InputError,
            "nothing was trained on 'b' and tested on 'a'",
        ),
        ({("a", "b"): np.ones(3), ("b", "b"): np.ones(4)}, InputError, r"have \[3, 4\] errors"),
        ({("a", "a"): np.array([1.0, np.nan])}, WorkError, "1 of 2 errors are not finite"),
        ({("a", "a"): np.array([])}, InputError, "there are no errors"),
    ],
)
def test_bad_input_is_named(errors, kind, message):
    with pytest.raises(kind, match=message):
        TransferMatrix.from_errors("m", errors, np.random.default_rng(0))
