"""Figures hold the numbers they were given, with units, and refuse what cannot be drawn."""

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.evaluation import TransferMatrix
from mechlearn.report import (
    ConservationSeries,
    accuracy_against_size,
    descriptor_densities,
    energy_conservation,
    energy_distributions,
    error_distributions,
    holdout_bars,
    learning_curves,
    parity,
    principal_component_scatter,
    transfer_heatmap,
    width_bars,
)
from mechlearn.report.style import COLOURS, log_axis
from report.sample import sample_matrices, sample_points


def titles(figure):
    axes = [axis for axis in figure.to_dict()["layout"].items() if axis[0][1:5] == "axis"]
    return [axis.get("title", {}).get("text", "") for _, axis in axes]


def test_energy_densities_integrate_to_one():
    rng = np.random.default_rng(0)
    energies = {"a": rng.normal(size=500), "b": np.append(rng.normal(size=300), np.nan)}
    figure = energy_distributions(energies)
    for trace, count in zip(figure.data, (500, 300), strict=True):
        step = trace.x[1] - trace.x[0]
        assert np.sum(trace.y) * step == pytest.approx(1, rel=1e-6)
        assert np.sum(np.asarray(trace.customdata)[:, 0]) == count
    assert "energy per atom (eV/atom)" in titles(figure)
    assert figure.layout.yaxis.type == "log"


def test_descriptor_panels_share_axes_and_colours():
    rng = np.random.default_rng(0)
    figure = descriptor_densities({"a": rng.normal(size=(900, 5)), "b": 3 * rng.normal(size=(800, 5))})
    assert len(figure.data) == 6
    first, second = figure.data[0], figure.data[1]
    assert np.array_equal(first.x, second.x)
    shares = 10.0 ** np.asarray(first.z, dtype=float)
    # The panels reach over the middle 99.8% of the broader set: all of the narrow one.
    assert np.nansum(shares) == pytest.approx(1, abs=1e-5)
    assert all(trace.coloraxis == "coloraxis" for trace in figure.data)


def test_accuracy_points_are_where_the_models_are():
    points = sample_points(np.random.default_rng(0))
    figure = accuracy_against_size(points)
    drawn = {(x, y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}
    assert drawn == {(point.parameters, point.rmse.value) for point in points}
    assert sum(trace.showlegend for trace in figure.data) == 4
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_error_distributions_integrate_to_one_over_decades():
    matrices = sample_matrices(np.random.default_rng(0))
    figure = error_distributions(matrices)
    assert len(figure.data) == 12
    for trace in figure.data:
        step = np.diff(np.log10(trace.x))[0]
        assert np.sum(trace.y) * step == pytest.approx(1)
    assert figure.layout.annotations[1].text == "trained on <b>expert</b>, tested on <b>entropy</b>"


def test_transfer_numbers_are_written_in_their_cells():
    matrix = sample_matrices(np.random.default_rng(0))[0]
    figure = transfer_heatmap([matrix])
    texts = {(each.x, each.y): each.text for each in figure.layout.annotations if each.yref != "paper"}
    cell = matrix["expert", "entropy"]
    assert texts["entropy", "expert"] == f"<b>{cell.rmse.value:.2f}</b><br>{cell.ratio.value:.0f}×"
    assert "×" not in texts["entropy", "entropy"]


def test_conservation_guide_is_of_second_order():
    steps = np.array([1.0, 2.0, 4.0, 8.0])
    figure = energy_conservation([ConservationSeries("A1", steps, 1e-6 * steps**2.1, 2.1)])
    guide = figure.data[-1]
    assert np.log(guide.y[1] / guide.y[0]) / np.log(guide.x[1] / guide.x[0]) == pytest.approx(2)
    assert "order 2.10" in figure.data[0].name
    assert "timestep δt (fs)" in titles(figure)


def test_conservation_without_any_fitted_order_is_drawn():
    figure = energy_conservation([ConservationSeries("A1", np.array([1.0, 2.0]), np.array([np.nan, 0.0]), np.nan)])
    assert "order not fitted" in figure.data[0].name


def test_widths_rise_and_fall_from_one():
    figure = width_bars(np.array([0.5, 8.0, 2.0]), np.array([1.0, np.nan, 3.0]))
    bars = figure.data[0]
    assert np.add(bars.y, bars.base).tolist() == [8.0, 2.0, 0.5]
    assert bars.marker.color[0] != bars.marker.color[1] != bars.marker.color[2]
    assert list(figure.data[1].y) == [3.0, 1.0]


def test_many_points_become_a_density_and_few_stay_points():
    rng = np.random.default_rng(0)
    many = rng.normal(size=30000)
    dense = parity(many, many)
    assert dense.data[1].type == "heatmap"
    assert np.nansum(np.asarray(dense.data[1].customdata)) == 30000
    few = parity(np.array([1.0, 2.0, np.nan]), np.array([1.1, 2.0, 3.0]), groups=["a", "b", "b"])
    assert [trace.name for trace in few.data[1:]] == ["a", "b"]
    assert "reference energy (eV/atom)" in titles(few)


def test_scatter_is_thinned():
    points = np.random.default_rng(0).normal(size=(50000, 2))
    figure = principal_component_scatter({"own": {"a": points, "b": 0.1 * points[:100]}})
    assert [len(trace.x) for trace in figure.data] == [2500, 100]
    assert figure.data[0].marker.color.startswith("rgba(0, 114, 178")


def test_log_axis_ignores_what_has_no_logarithm():
    axis = log_axis([0.0, -1.0, np.nan, 1.0, 100.0], "t")
    assert axis["range"][0] == pytest.approx(-0.08)
    assert axis["range"][1] == pytest.approx(2.08)


def test_colours_are_told_apart_by_all_common_visions():
    # Machado et al. (2009), full severity, in linear RGB.
    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    protanopia = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    seen = np.array([[int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)] for hexadecimal in COLOURS[:6]])
    linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    for vision in (np.eye(3), deuteranopia, protanopia):
        mapped = np.clip(linear @ vision.T, 0, 1)
        distances = np.linalg.norm(mapped[:, None] - mapped[None], axis=2)
        assert distances[np.triu_indices(6, 1)].min() > 0.09


def test_different_sets_are_not_drawn_as_one():
    rng = np.random.default_rng(0)
    one = TransferMatrix.from_errors("m", {("a", "a"): np.ones(4)}, rng)
    other = TransferMatrix.from_errors("m", {("b", "b"): np.ones(4)}, rng)
    with pytest.raises(InputError, match="trained or tested on different sets"):
        error_distributions([one, other])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: energy_distributions({"DFT": np.full(3, np.nan)}), "the set 'DFT' has no labelled energy"),
        (lambda: accuracy_against_size([]), "there are no models"),
        (lambda: error_distributions([]), "there are no transfer matrices"),
        (lambda: transfer_heatmap([]), "there are none"),
        (lambda: energy_conservation([]), "there are no models"),
        (lambda: holdout_bars([]), "there are none"),
        (lambda: learning_curves([]), "there are none"),
        (lambda: parity(np.array([np.nan]), np.array([1.0])), "no value has both a label and a prediction"),
    ],
)
def test_nothing_to_draw_is_said(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
