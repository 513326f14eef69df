"""Figures of glasses hold the numbers they were given, and tell truth, prediction and chance apart."""

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.evaluation import EventPredictions, rare_event_scorecard
from mechlearn.report.glass_figures import (
    ShearCurve,
    StrainSeries,
    event_strains,
    score_against_strain,
    score_bars,
    stress_strain,
)
from mechlearn.report.glass_map import glass_map
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM, REDUCED

CELL = np.array([[20.0, 0.0, 0.0], [1.5, 21.0, 0.0], [-1.0, 0.5, 22.0]])


def sheared(atoms=1000, seed=0):
    """Atoms anywhere, some of them outside the cell, and an event across its boundary."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1.0, 2.0, (atoms, 3)) @ CELL
    trigger = int(np.argmin(np.abs(places @ np.linalg.inv(CELL) - [1.0, 0.5, 0.0]).max(axis=1)))
    apart = (places - places[trigger]) @ np.linalg.inv(CELL)
    d2min = np.exp(-np.linalg.norm((apart - np.round(apart)) @ CELL, axis=1) / 1.5)
    return places, {"one": d2min + 0.1 * rng.random(atoms), "two": rng.random(atoms)}, d2min, trigger


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def points(trace):
    return np.stack([trace.x, trace.y, trace.z], axis=1)


def test_a_map_shows_what_took_part_and_what_each_model_put_first():
    places, confidences, d2min, trigger = sheared()
    drawn = traces(glass_map(places, CELL, confidences, d2min > 0.1, trigger, d2min=d2min))
    took = drawn["took part"].customdata
    np.testing.assert_array_equal(took[:, 0], np.flatnonzero(d2min > 0.1))
    np.testing.assert_allclose(took[:, 1], d2min[d2min > 0.1], rtol=1e-6)
    assert drawn["trigger"].customdata[0, 0] == trigger
    for place, name in enumerate(("one", "two")):
        foremost = drawn[f"foremost 20: {name}"].customdata
        assert set(foremost[:, 0]) == set(np.argsort(-confidences[name])[:20])
        assert sorted(foremost[:, 3 + 2 * place]) == list(range(1, 21))
    shown = np.concatenate([trace.customdata[:, 0] for trace in drawn.values() if trace.customdata is not None])
    assert set(shown) == set(range(1000))
    looks = [drawn[name].marker for name in ("took part", "trigger", "foremost 20: one")]
    assert len({look.symbol for look in looks}) == 3
    assert [drawn[f"foremost 20: {name}"].visible for name in ("one", "two")] == [True, "legendonly"]


def test_a_map_is_the_same_glass_with_the_event_whole_in_its_middle():
    places, confidences, d2min, trigger = sheared()
    drawn = traces(glass_map(places, CELL, confidences, d2min > 0.1, trigger))
    everything = [trace for trace in drawn.values() if trace.customdata is not None]
    for trace in everything:
        fractions = points(trace) @ np.linalg.inv(CELL)
        assert ((fractions > -1e-5) & (fractions < 1 + 1e-5)).all()
        moved = points(trace) - points(drawn["trigger"])
        before = places[trace.customdata[:, 0].astype(int)] - places[trigger]
        images = (moved - before) @ np.linalg.inv(CELL)
        np.testing.assert_allclose(images, images.round(), atol=1e-5)
    np.testing.assert_allclose(points(drawn["trigger"])[0], CELL.sum(axis=0) / 2, atol=1e-4)
    middle = points(drawn["took part"]) - CELL.sum(axis=0) / 2
    assert np.linalg.norm(middle, axis=1).max() < 5.0
    # Where no trigger is known the middle of what took part is, wherever the boundary cuts it.
    blind = traces(glass_map(places, CELL, confidences, d2min > 0.1))
    assert np.linalg.norm(points(blind["took part"]) - CELL.sum(axis=0) / 2, axis=1).max() < 6.0
    edges = points(drawn["cell"])[:, :].reshape(-1, 3, 3)
    lengths = np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1)
    np.testing.assert_allclose(np.sort(lengths), np.sort(np.repeat(np.linalg.norm(CELL, axis=1), 4)), rtol=1e-6)


@pytest.mark.parametrize("atoms", [1000, 10_000])
def test_a_map_stays_small(atoms):
    places, confidences, d2min, trigger = sheared(atoms)
    figure = glass_map(places, CELL, confidences, d2min > 0.1, trigger, d2min=d2min)
    assert len(figure.to_json()) < 300_000
    assert ("other atoms" in traces(figure)) == (atoms == 1000)


def test_maps_without_an_event_or_with_arrays_that_do_not_fit():
    places, confidences, d2min, _ = sheared()
    assert "took part" not in traces(glass_map(places, CELL, confidences, np.zeros(1000, dtype=bool)))
    for wrong in ({}, {"one": np.zeros(999)}):
        with pytest.raises(InputError, match="one number an atom"):
            glass_map(places, CELL, wrong, d2min > 0.1)


def test_the_first_event_is_marked_at_the_last_state_before_it():
    strains = np.arange(0.0, 0.03, 1e-5)
    stresses = np.where(strains <= 0.0123456, 30.0, 25.0) / GPA_PER_EV_PER_CUBIC_ANGSTROM * strains
    whole = ShearCurve("b", "xy", strains[:5], stresses[:5], np.nan)
    line, event = stress_strain([ShearCurve("a", "xy", strains, stresses, 0.0123456), whole]).data
    assert event.text == ("a",)
    np.testing.assert_allclose(event.y, [30.0 * 0.01234], rtol=1e-9)
    # A few hundred points of three thousand, the jump to its full height among them.
    assert len(line.x) < 220
    jump = np.nanargmin(np.diff(line.y[:-7]))
    np.testing.assert_allclose(line.x[[jump, jump + 1]], [1.234, 1.235])
    assert np.isnan(line.y).sum() == 2
    reduced = stress_strain([whole], REDUCED)
    np.testing.assert_allclose(reduced.data[0].y[:-1], stresses[:5])
    assert "ε/σ³" in reduced.layout.yaxis.title.text
    with pytest.raises(InputError, match="no curves"):
        stress_strain([])


def test_event_strains_count_every_event_once():
    strains = {"xy": np.array([0.01, 0.02, np.nan]), "-xy": np.array([0.0, 0.005])}
    figure = event_strains(strains, bins=4)
    assert [trace.name for trace in figure.data] == ["xy", "-xy"]
    assert [trace.y.tolist() for trace in figure.data] == [[0, 0, 1, 1], [1, 1, 0, 0]]
    assert figure.layout.barmode == "stack"
    assert "4 events, median 0.750%<br>1 run without event" in figure.layout.annotations[0].text
    with pytest.raises(InputError, match="no event came"):
        event_strains({"xy": np.array([np.nan])})


def test_a_score_against_strain_stands_above_the_runs_it_rests_on():
    edges, runs = np.array([0.0, 0.01, 0.03]), np.array([9, 4])
    series = [StrainSeries(name, np.array([40.0, 3.0]), np.array([20.0, 1.0]), np.array([60.0, 9.0])) for name in "ab"]
    figure = score_against_strain(series, edges, runs)
    first, second, bars = figure.data
    np.testing.assert_allclose((first.x + second.x) / 2, bars.x)
    assert list(figure.layout.xaxis2.ticktext) == ["0 to 1%", "1 to 3%"]
    assert (first.x < second.x).all()
    np.testing.assert_array_equal(first.error_y.array, [20.0, 6.0])
    np.testing.assert_array_equal(bars.y, runs)
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 1.0
    share = score_against_strain(series, edges, runs, "localisation", None, logarithmic=False)
    assert share.layout.yaxis.type is None
    assert not share.layout.shapes
    with pytest.raises(InputError, match="do not fit"):
        score_against_strain(series, edges, runs[:1])


def test_bars_of_a_scorecard_have_the_line_of_chance_and_refuse_what_flatters():
    rng = np.random.default_rng(0)
    positive, offsets = rng.random(1200) < 0.05, np.arange(0, 1201, 100)
    specimens = tuple(f"glass-{run // 2}" for run in range(12))
    models = {
        name: EventPredictions(rng.normal(size=1200) + lift * positive, positive, offsets, specimens)
        for name, lift in (("good", 2.0), ("poor", 0.3))
    }
    card = rare_event_scorecard("events", models, trained_on=[])
    figure = score_bars(card)
    assert figure.data[0].y == ("good", "poor")
    assert figure.data[0].x == tuple(card[name]["ap_lift"].value for name in ("good", "poor"))
    np.testing.assert_allclose(
        figure.data[0].x + figure.data[0].error_x.array, [card[name]["ap_lift"].high for name in ("good", "poor")]
    )
    assert figure.layout.shapes[0].x0 == card["chance"]["ap_lift"].value
    with pytest.raises(InputError, match="alone it would flatter"):
        score_bars(card, "auc")
    with pytest.raises(InputError, match="no model of 'events' has 'localisation'"):
        score_bars(card, "localisation")
