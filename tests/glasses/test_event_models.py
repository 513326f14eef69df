"""Models of where glasses yield learn planted rules, come back from disk bit for bit, and refuse what is unfair."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from sklearn.ensemble import HistGradientBoostingClassifier

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature
from mechlearn.glasses.prediction.boosted_trees import BoostedTrees, fit_boosted_trees
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.glasses.prediction.event_models import (
    EventModel,
    ModelSettings,
    fit_event_model,
    load_event_model,
    score_models,
)
from mechlearn.glasses.prediction.event_settings import IMBALANCES, SCALINGS
from mechlearn.glasses.prediction.feature_scaling import FeatureScaling, standardised
from mechlearn.glasses.prediction.imbalance import atom_weights
from mechlearn.learning import Epoch
from mechlearn.structures import StructureBatch

ATOMS = 60
#: Of each kind, small.
SMALL: dict[str, ModelSettings] = {
    "gat": ModelSettings(
        "gat", ("x", "y"), layers=2, width=4, heads=2, dense=(8,), epochs=4, learning_rate=0.01, precision="double"
    ),
    "svm": ModelSettings("svm", ("x", "y")),
    "boosting": ModelSettings("boosting", ("x", "y"), trees=12, leaves=4, leaf_atoms=5),
    "ranking": ModelSettings("ranking", ("x",)),
}


def planted(specimens: range, rule: str = "own") -> EventData:
    """Rings of atoms, each linked to the next and the one before.

    An atom is positive where its own x is large, or where that of a neighbour is.
    """
    graphs = []
    for specimen in specimens:
        rng = np.random.default_rng([7, specimen])
        features = rng.normal(size=(ATOMS, 2))
        ring = np.stack([np.arange(ATOMS), np.roll(np.arange(ATOMS), -1)])
        told = features[:, 0] if rule == "own" else np.maximum(np.roll(features[:, 0], 1), np.roll(features[:, 0], -1))
        atoms = Atoms(f"Cu{ATOMS}", 12.0 * rng.random((ATOMS, 3)), cell=[12.0] * 3, pbc=True)
        d2min = np.where(told > 1.3, 0.5, 0.0)
        graphs.append(
            EventGraph(
                f"glass-{specimen}",
                "xy",
                StructureBatch.from_atoms([atoms]),
                features,
                np.concatenate([ring, ring[::-1]], axis=1),
                d2min,
                int(np.argmax(told)),
                0.01,
            )
        )
    return EventData(tuple(Feature(name, name, "1", "here") for name in ("x", "y")), graphs)


def area(model: EventModel, data: EventData) -> float:
    """AUC: how often a positive atom is ranked above another."""
    said, positive = model.confidences(data), data.positive(0.1)
    return float((said[positive][:, None] > said[~positive]).mean())


def test_graph_attention_learns_a_rule_of_neighbours_that_a_plane_cannot() -> None:
    train, validation, test = (planted(span, "neighbour") for span in (range(16), range(16, 20), range(20, 26)))
    wide = replace(SMALL["gat"], layers=1, width=6, heads=3, epochs=40, precision="single", batch_size=4)
    graph, plane = (fit_event_model(settings, train, validation, seed=0) for settings in (wide, SMALL["svm"]))
    assert area(graph, test) > 0.95
    assert area(plane, test) < 0.65
    assert graph.record["best_epoch"] > 1


@pytest.mark.parametrize("kind", ["svm", "boosting", "ranking"])
def test_plain_models_learn_a_rule_of_the_atom_itself(kind: str) -> None:
    model = fit_event_model(SMALL[kind], planted(range(10)), planted(range(10, 12)), seed=0)
    assert area(model, planted(range(20, 24))) > 0.97


@pytest.mark.parametrize("scaling", ["set", "both"])
@pytest.mark.parametrize("treatment", ["none", "weights", "undersampling"])
def test_own_trees_say_what_those_of_scikit_learn_say(scaling: Any, treatment: Any) -> None:
    data = planted(range(12), "neighbour")
    settings = replace(SMALL["boosting"], scaling=scaling, imbalance=treatment, trees=30)
    values = FeatureScaling.of(data.values, scaling).apply(data)
    positive = data.positive(0.1)
    weights = atom_weights(positive, settings, np.random.default_rng(0))
    kept = weights > 0
    oracle = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=30, max_leaf_nodes=4, min_samples_leaf=5, early_stopping=False, random_state=3
    ).fit(values[kept], positive[kept], sample_weight=weights[kept])
    trees = fit_boosted_trees(values, positive, weights, settings, seed=3)
    # Also at the thresholds themselves.
    asked = np.concatenate([values, np.repeat(trees.threshold[trees.left >= 0][:, None], values.shape[1], axis=1)])
    np.testing.assert_allclose(trees.log_odds(asked), oracle.decision_function(asked), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(trees.confidences(asked), oracle.predict_proba(asked)[:, 1], rtol=1e-12)


def test_trees_are_kept_up_to_the_lowest_loss_of_validation() -> None:
    train, validation = planted(range(6), "neighbour"), planted(range(6, 12), "neighbour")
    settings = replace(SMALL["boosting"], imbalance="none", trees=60, shrinkage=0.3, scaling="set")
    whole = fit_event_model(settings, train, seed=0)
    short = fit_event_model(settings, train, validation, seed=0)
    truth = validation.positive(0.1)

    def loss(model: EventModel) -> float:
        said = model.confidences(validation)
        return float(-np.log(np.where(truth, said, 1 - said)).mean())

    assert whole.record["trees"] == 60
    assert short.record["trees"] < 20
    each = [fit_event_model(replace(settings, trees=count), train, seed=0) for count in (1, 5, 30)]
    assert loss(short) < min(loss(whole), *(loss(model) for model in each))


@pytest.mark.parametrize("kind", list(SMALL))
def test_a_run_is_judged_by_itself_and_atoms_may_come_in_any_order(kind: str) -> None:
    model = fit_event_model(SMALL[kind], planted(range(4)), seed=0)
    data = planted(range(10, 13))
    together = model.confidences(data)
    graph = data.graphs[1]
    alone = model.confidences(EventData(data.features, [graph]))
    np.testing.assert_allclose(alone, together[ATOMS : 2 * ATOMS], rtol=1e-12)
    new = np.random.default_rng(0).permutation(ATOMS)
    features = np.empty_like(graph.features)
    features[new] = graph.features
    renamed = model.confidences(EventData(data.features, [replace(graph, features=features, edges=new[graph.edges])]))
    np.testing.assert_allclose(renamed[new], alone, rtol=1e-11)


@pytest.mark.parametrize("kind", list(SMALL))
@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_model_comes_back_bit_for_bit(kind: str, precision: Any, tmp_path: Path) -> None:
    model = fit_event_model(
        replace(SMALL[kind], precision=precision, title="mine"), planted(range(4)), planted(range(4, 6)), seed=3
    )
    loaded = load_event_model(model.save(tmp_path))
    data = planted(range(10, 12))
    assert np.array_equal(loaded.confidences(data), model.confidences(data))
    assert loaded.settings == model.settings
    assert loaded.trained_on == tuple(f"glass-{number}" for number in range(6))
    assert (loaded.name, loaded.seed, dict(loaded.record)) == ("mine", 3, dict(model.record))
    again = fit_event_model(model.settings, planted(range(4)), planted(range(4, 6)), seed=3)
    assert np.array_equal(again.confidences(data), model.confidences(data))


def test_graph_attention_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise StoppedError

    settings, data = SMALL["gat"], planted(range(8))
    with pytest.raises(StoppedError):
        fit_event_model(settings, data, seed=0, checkpoint=tmp_path / "c", progress=stop)
    resumed = fit_event_model(settings, data, seed=0, checkpoint=tmp_path / "c")
    undisturbed = fit_event_model(settings, data, seed=0)
    assert np.array_equal(resumed.confidences(data), undisturbed.confidences(data))
    with pytest.raises(InputError, match="another run"):
        fit_event_model(replace(settings, imbalance="focal"), data, seed=0, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("kind", list(SMALL))
def test_broken_files_are_refused(kind: str, tmp_path: Path) -> None:
    model = fit_event_model(SMALL[kind], planted(range(4)), seed=0)
    with pytest.raises(InputError, match="no such file"):
        load_event_model(tmp_path / "nowhere")
    for name in ("model.json", "weights.safetensors"):
        whole = (model.save(tmp_path) / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError):
            load_event_model(tmp_path)
        (tmp_path / name).write_bytes(whole)
    for change in ({"what": "a potential"}, {"format": 2}, {"settings": {"kind": kind}}, {"trained_on": None}):
        content = {**json.loads((model.save(tmp_path) / "model.json").read_text()), **change}
        (tmp_path / "model.json").write_text(json.dumps(content))
        with pytest.raises(InputError):
            load_event_model(tmp_path)


def test_trees_that_would_walk_in_circles_are_refused() -> None:
    trees = fit_event_model(SMALL["boosting"], planted(range(4)), seed=0).score
    assert isinstance(trees, BoostedTrees)
    arrays = trees.arrays()
    inner = int(np.flatnonzero(arrays["left"] >= 0)[-1])
    for name, value in (("left", 0), ("right", len(arrays["left"])), ("feature", 99)):
        broken = {**arrays, name: arrays[name].copy()}
        broken[name][inner] = value
        with pytest.raises(InputError, match="do not make trees"):
            BoostedTrees.from_arrays(broken)


def test_what_would_be_unfair_or_undefined_is_refused() -> None:
    data, settings = planted(range(4)), SMALL["svm"]
    with pytest.raises(InputError, match=r"glass-3\) were also trained on"):
        fit_event_model(settings, data, planted(range(3, 6)), seed=0)
    still = EventData(data.features, [replace(graph, d2min=np.zeros(ATOMS)) for graph in data.graphs])
    with pytest.raises(InputError, match="all scores would be undefined"):
        fit_event_model(settings, still, seed=0)
    model = fit_event_model(settings, data, seed=0)
    with pytest.raises(InputError, match="the data lack y; they have x"):
        model.confidences(planted(range(5, 6)).with_features(["x"]))
    with pytest.raises(InputError, match="were also trained on"):
        score_models("first events", {"svm": model}, data)
    swapped = planted(range(5, 7)).with_features(["y", "x"])
    assert np.array_equal(model.confidences(swapped), model.confidences(planted(range(5, 7))))


def test_models_are_scored_side_by_side_with_their_localisation() -> None:
    models = {kind: fit_event_model(SMALL[kind], planted(range(6)), seed=0) for kind in ("svm", "ranking")}
    card = score_models("first events", models, planted(range(10, 14)))
    assert card["ranking"]["ap"].value == pytest.approx(1.0)
    assert card["ranking"]["localisation"].value == 1.0
    assert card["chance"]["localisation"].value < 0.9


@pytest.mark.parametrize(("kind", "treatment"), [(kind, each) for kind in IMBALANCES for each in IMBALANCES[kind]])
def test_every_treatment_of_rare_atoms_learns(kind: str, treatment: Any) -> None:
    settings = replace(SMALL[kind], imbalance=treatment, epochs=15, residual=True)
    model = fit_event_model(settings, planted(range(8)), planted(range(8, 10)), seed=0)
    assert area(model, planted(range(20, 23))) > 0.9


def test_treatments_that_a_kind_cannot_take_are_refused() -> None:
    for kind, treatment in (("svm", "focal"), ("boosting", "focal"), ("ranking", "weights")):
        with pytest.raises(InputError, match=f"'{treatment}' is no imbalance for it; choose from"):
            replace(SMALL[kind], imbalance=treatment)
    with pytest.raises(InputError, match="'both' is no scaling"):
        replace(SMALL["ranking"], scaling="both")


def test_weights_balance_the_classes_as_asked() -> None:
    positive = np.arange(1000) < 20
    for treatment in ("weights", "undersampling", "oversampling"):
        settings = ModelSettings("svm", ("x",), imbalance=treatment, balance=4.0)  # type: ignore[arg-type]
        weights = atom_weights(positive, settings, np.random.default_rng(0))
        assert weights.mean() == pytest.approx(1.0)
        assert weights[~positive].sum() / weights[positive].sum() == pytest.approx(4.0)
        drawn = weights / weights.max()
        kept = {"weights": 1000, "undersampling": 20 + 80, "oversampling": 1000}[treatment]
        assert (drawn > 0).sum() == kept


def test_scaling_by_the_run_knows_no_unit_and_scaling_by_the_set_does() -> None:
    response = np.random.default_rng(0).lognormal(sigma=3.0, size=(200, 1))
    np.testing.assert_allclose(standardised(1e4 * response), standardised(response), rtol=1e-9)
    data = planted(range(1))
    louder = EventData(data.features, [replace(data.graphs[0], features=100.0 * data.graphs[0].features)])
    for by, same in (("run", True), ("set", False)):
        model = fit_event_model(replace(SMALL["svm"], scaling=by), planted(range(1, 5)), seed=0)  # type: ignore[arg-type]
        assert np.allclose(model.confidences(louder), model.confidences(data), rtol=1e-9) is same
    flat = standardised(np.full((5, 1), 0.1))
    assert np.abs(flat).max() < 1e-15


def test_settings_come_back_from_json() -> None:
    for kind, settings in SMALL.items():
        assert ModelSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
        assert settings.scaling == SCALINGS[kind][0]
    with pytest.raises(InputError, match="depth"):
        ModelSettings.from_dict({**SMALL["svm"].to_dict(), "depth": 3})
