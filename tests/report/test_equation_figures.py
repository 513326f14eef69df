"""Figures of equations hold the numbers they were given, and refuse what cannot be drawn."""

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.report import (
    CoefficientPoint,
    GroupPoint,
    PathPoint,
    TermPath,
    coefficient_intervals,
    fields_beside,
    matrices_beside,
    recovery_shares,
    regularisation_path,
    residual_map,
    simulation_errors,
    symmetry_evidence,
    trajectories,
)

TIMES = np.linspace(0, 1, 5)
X = np.linspace(-1, 1, 4)


def test_data_set_the_colours_and_a_simulation_that_runs_away_does_not():
    data = np.outer(X, TIMES)
    figure = fields_beside({"data": data, "simulated": 1e6 * data}, TIMES, X, ("t", "x"), "u")
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (data.min(), data.max())
    assert all(trace.coloraxis == "coloraxis" for trace in figure.data)
    np.testing.assert_array_equal(figure.data[1].z, 1e6 * data)
    assert [note.text for note in figure.layout.annotations] == ["<b>data</b>", "<b>simulated</b>"]


def test_residuals_have_white_for_none_and_the_same_scale_always():
    figure = residual_map({"left over": np.zeros((4, 5))}, TIMES, X, ("t", "x"))
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    middle = [shade for place, shade in figure.layout.coloraxis.colorscale if place == 0.5]
    assert middle == ["#FFFFFF"]


def test_measured_are_points_and_computed_are_lines():
    figure = trajectories(TIMES, {"x": TIMES, "y": -TIMES}, {"simulated": {"x": TIMES, "y": TIMES}})
    assert [trace.mode for trace in figure.data] == ["markers", "lines", "markers", "lines"]
    assert sum(trace.showlegend for trace in figure.data) == 2


def test_the_chosen_size_is_ringed_where_the_criterion_is_least():
    points = [PathPoint(size, "", criterion, 0.1) for size, criterion in ((0, 90.0), (1, 40.0), (2, 10.0), (3, 14.0))]
    figure = regularisation_path([TermPath("u_t", points, 2)])
    line, ring = figure.data[0], figure.data[1]
    assert list(line.y) == [81.0, 31.0, 1.0, 5.0]
    assert (list(ring.x), list(ring.y)) == ([2], [1.0])


def test_coefficients_are_drawn_over_their_true_values():
    points = [CoefficientPoint("u_xx", "20%", -0.11, -0.12, -0.09, -0.1)]
    trace = coefficient_intervals(points).data[0]
    assert list(trace.x) == pytest.approx([1.1])
    assert list(trace.error_x.array) == pytest.approx([0.1])
    assert list(trace.error_x.arrayminus) == pytest.approx([0.2])


def test_the_answer_stands_apart_from_what_is_as_good_or_worse():
    points = [
        GroupPoint("none", 168, 0.11, True, False, 0.0),
        GroupPoint("cubic", 13, 0.1, True, True, 1.0),
        GroupPoint("isotropic", 7, 0.4, False, False, 0.0),
    ]
    figure = symmetry_evidence(points)
    assert [list(trace.y) for trace in figure.data] == [
        ["isotropic, 7 terms"],
        ["none, 168 terms"],
        ["cubic, 13 terms"],
    ]
    assert list(figure.layout.yaxis.categoryarray) == ["isotropic, 7 terms", "cubic, 13 terms", "none, 168 terms"]


def test_shares_are_of_the_draws():
    figure = recovery_shares(np.array([0.2, 0.5]), {"ours": np.array([20, 10])}, np.array([20, 20]))
    assert list(figure.data[0].y) == [100.0, 50.0]


def test_hovering_an_entry_names_both_systems():
    figure = matrices_beside({"planted": np.eye(2), "found": np.eye(2)}, ["(1 1 1)", "(0 0 1)"], "H")
    assert figure.data[0].customdata[0][1] == ["(1 1 1)", "(0 0 1)"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: fields_beside({}, TIMES, X, ("t", "x"), "u"),
        lambda: fields_beside({"u": np.full((4, 5), np.nan)}, TIMES, X, ("t", "x"), "u"),
        lambda: residual_map({}, TIMES, X, ("t", "x")),
        lambda: trajectories(TIMES, {}, {}),
        lambda: simulation_errors({}, 0.1),
        lambda: regularisation_path([TermPath("u_t", [], 0)]),
        lambda: coefficient_intervals([]),
        lambda: coefficient_intervals([CoefficientPoint("u", "20%", 1.0, 0.9, 1.1, float("nan"))]),
        lambda: symmetry_evidence([]),
        lambda: recovery_shares(np.array([0.2]), {}, np.array([1])),
    ],
)
def test_nothing_to_draw_is_said(draw):
    with pytest.raises(InputError, match="drawing"):
        draw()
