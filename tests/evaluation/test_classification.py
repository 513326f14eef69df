"""Scores of rare events: scikit-learn's where it has them, the paper's counts, chance, and what is refused."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation import (
    Confusion,
    EventPredictions,
    ModelScores,
    RareEventScorecard,
    Resampling,
    RunRankings,
    detection_by_magnitude,
    localisation,
    precision_recall,
    rare_event_scorecard,
    relabelled,
    threshold_sweep,
)
from mechlearn.evaluation.classification_ranking import ChanceRanking, SpecimenRanking

FEW = Resampling(draws=60)


def events(rng, *, specimens=5, loadings=2, atoms=40, share=0.1, levels=8, skill=0.3):
    """Runs of several specimens, with confidences on few levels so that many are tied."""
    count = specimens * loadings * atoms
    positive = rng.random(count) < share
    confidences = np.round(levels * np.clip(rng.random(count) + skill * positive, 0, 1)) / levels
    names = tuple(f"glass-{number // loadings}" for number in range(specimens * loadings))
    return EventPredictions(confidences, positive, np.arange(specimens * loadings + 1) * atoms, names)


def scores_of(predictions, weights=None, prevalence=None):
    ranking = SpecimenRanking.of(predictions, prevalence)
    weights = np.ones(len(predictions.specimen_names)) if weights is None else weights
    return {name: float(statistic(weights[None])[0]) for name, statistic in ranking.statistics().items()}


def test_the_papers_counts():
    paper = Confusion(1134, 126_180, 486, 772_200)
    assert paper.recall == pytest.approx(0.700, abs=5e-4)
    assert paper.precision == pytest.approx(0.0089, abs=5e-5)
    assert paper.f1 == pytest.approx(0.0176, abs=5e-5)
    assert paper.mcc == pytest.approx(0.068, abs=5e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 8, 1000]))
def test_scores_are_scikit_learns_with_ties_and_with_weights_of_specimens(seed, levels):
    rng = np.random.default_rng(seed)
    predictions = events(rng, levels=levels)
    weights = rng.integers(0, 4, 5).astype(float)
    atom_weights = weights[predictions.specimen_of_run[predictions.run_of_atom]]
    truth, confidences, called = predictions.positive, predictions.confidences, predictions.confidences >= 0.5
    if atom_weights[truth].sum() == 0 or atom_weights[~truth].sum() == 0 or atom_weights[called].sum() == 0:
        return
    found = scores_of(predictions, weights)
    expected = {
        "recall": metrics.recall_score(truth, called, sample_weight=atom_weights),
        "precision": metrics.precision_score(truth, called, sample_weight=atom_weights),
        "f1": metrics.f1_score(truth, called, sample_weight=atom_weights),
        "auc": metrics.roc_auc_score(truth, confidences, sample_weight=atom_weights),
        "ap": metrics.average_precision_score(truth, confidences, sample_weight=atom_weights),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    if np.isfinite(found["mcc"]):
        assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(truth, called, sample_weight=atom_weights))
    assert found["ap_lift"] == pytest.approx(found["ap"] / np.average(truth, weights=atom_weights))


def test_scores_depend_on_the_order_of_confidences_alone():
    predictions = events(np.random.default_rng(0))
    bent = EventPredictions(
        np.exp(3 * predictions.confidences),
        predictions.positive,
        predictions.offsets,
        predictions.specimens,
        float(np.exp(1.5)),
    )
    assert scores_of(bent) == pytest.approx(scores_of(predictions), rel=1e-14)


def test_scores_at_a_matched_class_ratio_are_those_of_data_with_that_ratio():
    # Each negative atom three times over is the same ranking at another prevalence.
    rng = np.random.default_rng(3)
    predictions = events(rng, specimens=1, loadings=1, atoms=400)
    negative = ~predictions.positive
    rarer = EventPredictions(
        np.concatenate([predictions.confidences, *[predictions.confidences[negative]] * 2]),
        np.concatenate([predictions.positive, *[predictions.positive[negative]] * 2]),
        np.array([0, 400 + 2 * negative.sum()]),
        ("glass-0",),
    )
    assert scores_of(predictions, prevalence=rarer.prevalence) == pytest.approx(scores_of(rarer), rel=1e-12)


def test_chance_is_the_mean_of_random_orders():
    rng = np.random.default_rng(1)
    truth = rng.permutation(np.arange(60) < 4)
    drawn = []
    for _ in range(400):
        says = EventPredictions(rng.random(60), truth, np.array([0, 60]), ("glass",))
        drawn.append(scores_of(says))
    chance = ChanceRanking(SpecimenRanking.of(says)).statistics()
    for name in ("recall", "auc", "ap", "ap_lift"):
        values = np.array([one[name] for one in drawn])
        error = values.std() / np.sqrt(len(values))
        assert float(chance[name](np.ones((1, 1)))[0]) == pytest.approx(values.mean(), abs=4 * error), name
    assert float(chance["mcc"](np.ones((1, 1)))[0]) == 0.0


def test_intervals_come_from_specimens_not_atoms():
    # Runs of one specimen repeat each other: as many atoms, but no more to know.
    rng = np.random.default_rng(5)
    one = events(rng, specimens=8, loadings=1, atoms=200, levels=1000)
    six = EventPredictions(
        np.tile(one.confidences, 6), np.tile(one.positive, 6), np.arange(49) * 200, one.specimens * 6
    )
    cards = [rare_event_scorecard("t", {"m": says}, trained_on=(), resampling=FEW) for says in (one, six)]
    for key in ("auc", "ap", "precision"):
        first, second = (card["m"][key] for card in cards)
        assert (first.low, first.high) == pytest.approx((second.low, second.high), rel=1e-9)
        assert first.low < first.value < first.high


def test_without_a_positive_atom_scores_are_undefined_and_no_library_warns(recwarn):
    says = events(np.random.default_rng(0), share=0.0)
    card = rare_event_scorecard("nothing happens", {"model": says}, trained_on=(), resampling=FEW)
    assert all(np.isnan(metric.value) for metric in card["model"].scores.values())
    assert str(card).count("undefined") >= 14
    assert "No atom is positive" in str(card)
    assert json.loads(json.dumps(card.to_dict(), allow_nan=False))["models"][0]["recall"]["value"] is None
    assert not recwarn.list


def test_a_model_that_calls_nothing_has_no_precision():
    silent = Confusion(0.0, 0.0, 5.0, 95.0)
    assert silent.recall == 0.0
    assert np.isnan(silent.precision)
    assert np.isnan(silent.mcc)


def test_auc_or_recall_alone_is_refused():
    says = events(np.random.default_rng(0))
    card = rare_event_scorecard("events", {"model": says}, trained_on=(), resampling=FEW)
    for keys in (("auc",), ("recall",), ("recall", "auc", "f1", "ap")):
        with pytest.raises(InputError, match="alone would flatter"):
            card.only(*keys)
    shown = card.only("auc", "precision", "ap", "ap_lift")
    assert [row[0] for row in shown.table()[1]] == ["prevalence", "precision", "AUC", "AP", "AP / prevalence"]
    with pytest.raises(InputError, match="alone would flatter"):
        ModelScores("model", {"recall": card["model"]["recall"]})


def test_specimens_that_were_trained_on_are_refused():
    says = events(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"1 of them \(glass-3\) were also trained on"):
        rare_event_scorecard("events", {"model": says}, trained_on=["glass-3", "glass-9"])


def test_models_must_be_scored_on_the_same_truth():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="same"):
        rare_event_scorecard("events", {"a": events(rng), "b": events(rng)}, trained_on=())


def test_a_confidence_that_is_no_number_is_a_failure_of_the_model():
    with pytest.raises(WorkError, match="the first that of atom 1"):
        EventPredictions(np.array([0.1, np.nan]), np.array([True, False]), np.array([0, 2]), ("a",))


def test_the_card_serialises_and_prints_every_score_beside_the_prevalence():
    rng = np.random.default_rng(0)
    says = events(rng)
    places = localisation(says, rng.random((400, 3)), np.tile(9.0 * np.eye(3), (10, 1, 1)), np.zeros((10, 3)), 0.7)
    card = rare_event_scorecard(
        "events", {"model": says}, trained_on=(), localisations={"model": places}, resampling=FEW
    )
    again = RareEventScorecard.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False)))
    assert str(again) == str(card)
    row = card.to_dict()["models"][0]
    assert list(row) == ["name", "recall", "precision", "f1", "mcc", "auc", "ap", "ap_lift", "run_lift", "localisation"]
    assert set(row["auc"]) == {"value", "low", "high"}
    assert "prevalence" in str(card)
    assert card.models[-1].name == "chance"
    assert card["chance"]["localisation"].value == pytest.approx(places.chance.mean())


def test_localisation_crosses_tilted_boundaries_and_shares_ties():
    cell = np.array([[8.0, 0, 0], [7.5, 8.0, 0], [-3.0, 6.0, 9.0]])
    core = np.array([0.5, 0.5, 0.5])
    places = np.array([core + 2 * cell[0] - 3 * cell[1] + cell[2] + [0.3, 0, 0], core + np.array([3.9, 1.9, 1.2])])
    for confidences, hits in (([0.9, 0.1], 1.0), ([0.1, 0.9], 0.0), ([0.5, 0.5], 0.5)):
        says = EventPredictions(np.array(confidences), np.array([True, False]), np.array([0, 2]), ("a",))
        found = localisation(says, places, cell[None], core[None], radius=1.0)
        assert found.hits.tolist() == [hits]
        assert found.chance.tolist() == [0.5]
    assert localisation(says, places, cell[None], core[None], radius=50.0).chance.tolist() == [1.0]


def test_localisation_that_never_hits_is_not_sure_to_miss():
    rng = np.random.default_rng(0)
    says = events(rng, specimens=10)
    far = localisation(says, np.full((800, 3), 50.0), np.tile(100 * np.eye(3), (20, 1, 1)), np.zeros((20, 3)))
    interval = far.interval(rng)
    assert (interval.estimate, interval.low) == (0.0, 0.0)
    assert interval.high == pytest.approx(1 - 0.025**0.1)  # none of ten, Clopper and Pearson


def test_a_sweep_changes_the_class_ratio_and_the_scores_with_it():
    rng = np.random.default_rng(2)
    says = events(rng, levels=1000)
    magnitudes = 0.1 * rng.exponential(size=says.atoms) + 0.2 * says.confidences
    rows = threshold_sweep("model", relabelled(says, magnitudes, [0.3, 0.1, 0.5]), trained_on=(), resampling=FEW)
    assert [row.threshold for row in rows] == [0.1, 0.3, 0.5]
    assert all(earlier.prevalence > later.prevalence for earlier, later in pairwise(rows))
    direct = scores_of(says.with_truth(magnitudes > 0.3))
    assert rows[1].scores["ap"].value == direct["ap"]
    assert set(rows[0].to_dict()) >= {"threshold", "prevalence", "class_ratio", "recall", "precision", "ap"}


def test_detection_at_large_magnitudes_is_the_recall():
    rng = np.random.default_rng(4)
    says = events(rng)
    magnitudes = np.where(says.positive, 0.5, 0.01)
    curve = detection_by_magnitude(says, magnitudes, np.array([0.0, 0.1, 0.2, 1.0]), FEW)
    assert curve.called[2] == pytest.approx(scores_of(says)["recall"])
    assert curve.atoms.tolist() == [(~says.positive).sum(), 0, says.positive.sum()]
    assert np.isnan(curve.called[1])
    assert curve.low[2] < curve.called[2] < curve.high[2]


def test_precision_against_recall_has_the_average_precision_beneath_it():
    says = events(np.random.default_rng(6))
    curve = precision_recall(says)
    steps = np.diff(np.concatenate([[0.0], curve.recall]))
    assert steps @ curve.precision == pytest.approx(curve.average_precision)
    assert curve.precision[-1] >= curve.prevalence


def test_early_events_can_be_scored_alone():
    says = events(np.random.default_rng(7))
    early = says.select(np.arange(10) < 4)
    assert early.specimens == says.specimens[:4]
    np.testing.assert_array_equal(early.confidences, says.confidences[:160])
    with pytest.raises(InputError, match="none was chosen"):
        says.select(np.zeros(10, dtype=bool))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_runs_ranked_by_themselves_are_those_of_scikit_learn(seed: int) -> None:
    """AP over prevalence of each run; a run without a positive atom does not count, a weight counts its specimen."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 12, 5)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    truth = rng.random(offsets[-1]) < 0.3
    truth[0], truth[offsets[4] :] = True, False
    says = rng.integers(0, 5, offsets[-1]) / 4.0
    predictions = EventPredictions(says, truth, offsets, ("a", "a", "b", "c", "d"))
    found = RunRankings.of(predictions)
    lifts = np.full(5, np.nan)
    for run in range(5):
        own = slice(offsets[run], offsets[run + 1])
        if truth[own].any():
            lifts[run] = metrics.average_precision_score(truth[own], says[own]) / truth[own].mean()
    np.testing.assert_allclose(found.lifts, lifts)
    weights = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 1.0, 3.0]])
    by_run = np.array([[1, 1, 1, 1, 1], [2, 2, 0, 1, 3]], dtype=float) * np.isfinite(lifts)
    np.testing.assert_allclose(found.statistic()(weights), by_run @ np.nan_to_num(lifts) / by_run.sum(axis=1))


def test_a_blind_order_of_runs_is_slightly_above_one() -> None:
    """The mean over many random orders of each run."""
    rng = np.random.default_rng(1)
    truth, offsets = np.zeros(40, dtype=bool), np.array([0, 20, 40])
    truth[[0, 3, 25]] = True
    drawn = [
        np.mean(RunRankings.of(EventPredictions(rng.random(40), truth, offsets, ("a", "b"))).lifts) for _ in range(4000)
    ]
    blind = RunRankings.of(EventPredictions(np.zeros(40), truth, offsets, ("a", "b")))
    assert blind.statistic(blind=True)(np.ones((1, 2)))[0] == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 63)
