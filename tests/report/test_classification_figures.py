"""Figures of rare events hold the numbers they were given, chance beside them, and refuse what would flatter."""

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.report import (
    DetectionSeries,
    PrecisionRecallSeries,
    SweepSeries,
    detection_plot,
    precision_recall_plot,
    threshold_sweep_plot,
)

EDGES = np.array([0.001, 0.01, 0.1, 1.0])
SHARES = np.array([0.2, 0.3, 0.7])
THRESHOLDS = np.array([0.05, 0.1, 0.2])


def sweep(*names):
    values = np.array([0.1, 0.2, np.nan])
    return [SweepSeries(name, values, values - 0.05, values + 0.05) for name in names]


def test_what_is_called_stands_above_how_many_there_are():
    atoms = np.array([10_000, 100, 0])
    figure = detection_plot([DetectionSeries("GAT", SHARES, SHARES - 0.1, SHARES + 0.1)], EDGES, atoms, 0.1)
    called, counted = figure.data
    np.testing.assert_allclose(called.y, 100 * SHARES)
    np.testing.assert_allclose(called.x, np.sqrt(EDGES[1:] * EDGES[:-1]))
    np.testing.assert_array_equal(counted.y, [10_000, 100, np.nan])
    assert figure.layout.yaxis2.type == "log"


def test_a_sweep_has_a_panel_for_the_class_ratio_and_each_score():
    figure = threshold_sweep_plot(
        THRESHOLDS, np.array([0.01, 0.002, 0.0005]), sweep("recall", "precision", "AP", "AUC")
    )
    assert [trace.name for trace in figure.data] == ["class ratio", "recall", "precision", "AP", "AUC"]
    assert figure.layout.yaxis.type == "log"


@pytest.mark.parametrize("names", [(), ("recall",), ("AUC", "precision"), ("AUC", "AP")])
def test_a_sweep_of_recall_or_auc_alone_is_refused(names):
    with pytest.raises(InputError, match="alone would flatter"):
        threshold_sweep_plot(THRESHOLDS, np.ones(3), sweep(*names))


def test_precision_against_recall_has_the_line_of_chance():
    series = PrecisionRecallSeries("GAT", np.array([0.5, 1.0]), np.array([0.02, 0.004]), 0.012)
    figure = precision_recall_plot([series], 0.002)
    assert figure.layout.shapes[0].y0 == 0.002
    assert "6 × prevalence" in figure.data[0].name
    with pytest.raises(InputError, match="positive atoms"):
        precision_recall_plot([series], 0.0)
