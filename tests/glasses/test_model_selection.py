"""No model is scored on a specimen that it has seen, whatever the loading; scores are those of scikit-learn."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.description.feature_table import Feature
from mechlearn.glasses.prediction import event_models
from mechlearn.glasses.prediction.cross_validation import CandidateScores, CrossValidation, Fold
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.glasses.prediction.event_settings import ModelSettings
from mechlearn.glasses.prediction.event_storage import fingerprint, load_event_data, save_event_data
from mechlearn.glasses.prediction.model_selection import (
    cross_validate,
    folds_by_specimen,
    grid,
    held_out_confidences,
    imbalance_treatments,
)
from mechlearn.structures import StructureBatch

SIGNAL, NOISE = ModelSettings("ranking", ("signal",)), ModelSettings("ranking", ("noise",))


def events(specimens=8, atoms=60, seed=0):
    """Two senses of each specimen; what sheared has a higher signal on average."""
    rng = np.random.default_rng(seed)
    graphs = []
    for specimen in range(specimens):
        places = rng.uniform(0.0, 9.0, (atoms, 3))
        structure = StructureBatch.from_arrays(places, 9.0 * np.eye(3)[None], np.full(atoms, 29), [atoms])
        edges = np.array([np.arange(atoms), np.roll(np.arange(atoms), 1)])
        edges = np.concatenate([edges, edges[::-1]], axis=1)
        for sense in ("xy", "-xy"):
            d2min = np.where(rng.random(atoms) < 0.1, 0.4, 0.01)
            d2min[0] = 0.5
            features = np.stack([rng.normal(size=atoms) + 1.5 * (d2min > 0.1), rng.normal(size=atoms)], axis=1)
            graphs.append(EventGraph(f"glass-{specimen}", sense, structure, features, edges, d2min, 0, 0.01))
    return EventData((Feature("signal", "s", "1", "here"), Feature("noise", "n", "1", "here")), graphs)


@given(st.integers(3, 7), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_every_specimen_is_tested_once_and_never_seen_by_what_tests_it(folds, more, seed):
    names = [f"glass-{index}" for index in range(folds + more)]
    loadings = [*names, *names[::-1]]
    parts = folds_by_specimen(loadings, folds, np.random.default_rng(seed))
    assert sorted(name for part in parts for name in part.test) == sorted(names)
    assert sorted(name for part in parts for name in part.validation) == sorted(names)
    for part in parts:
        assert sorted((*part.train, *part.validation, *part.test)) == sorted(names)
        assert max(abs(len(part.test) - len(names) / folds), abs(len(part.validation) - len(names) / folds)) < 1
    assert parts == folds_by_specimen(names[::-1], folds, np.random.default_rng(seed))


def test_five_folds_are_three_to_one_to_one():
    parts = folds_by_specimen([f"glass-{index}" for index in range(75)], 5, np.random.default_rng(1))
    assert {(len(part.train), len(part.validation), len(part.test)) for part in parts} == {(45, 15, 15)}


def test_too_few_specimens_or_folds_are_refused():
    with pytest.raises(InputError, match=r"4 of them do not make 5 folds.*prepare 1 more"):
        folds_by_specimen(["a", "b", "c", "d", "d", "a"], 5, np.random.default_rng(0))
    with pytest.raises(InputError, match="give 3 or more"):
        folds_by_specimen(["a", "b", "c"], 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="b is in two sets"):
        Fold(("a", "b"), (), ("b",))


def test_scores_are_those_of_scikit_learn_on_the_specimens_left_out(tmp_path):
    data = events()
    found = cross_validate(data, [SIGNAL], tmp_path / "cv", seed=3)
    assert found.folds == tuple(folds_by_specimen(data.specimens, 4, np.random.default_rng(3)))
    for number, fold in enumerate(found.folds):
        train, validation, test = map(data.of_specimens, (fold.train, fold.validation, fold.test))
        said = event_models.fit_event_model(SIGNAL, train, validation, seed=0).confidences(test)
        truth = test.d2min > 0.1
        scores = found.candidates[0]
        assert scores.auc[number] == pytest.approx(roc_auc_score(truth, said), abs=1e-12)
        assert scores.ap[number] == pytest.approx(average_precision_score(truth, said), abs=1e-12)
        assert scores.ap_lift[number] == pytest.approx(average_precision_score(truth, said) / truth.mean(), abs=1e-12)
        assert scores.mcc[number] == pytest.approx(matthews_corrcoef(truth, said >= 0.5), abs=1e-12)
        assert scores.prevalence[number] == truth.mean()


def test_what_is_done_is_not_done_again_and_more_candidates_join(tmp_path, monkeypatch):
    data, fitted = events(), []
    honest = event_models.fit_event_model

    def counting(settings, *args, **options):
        fitted.append(settings.features[0])
        if len(fitted) == 4:
            raise WorkError("killed")
        return honest(settings, *args, **options)

    monkeypatch.setattr(event_models, "fit_event_model", counting)
    with pytest.raises(WorkError, match="killed"):
        cross_validate(data, [SIGNAL], tmp_path / "cv")
    assert len(list((tmp_path / "cv").glob("ranking-*-fold-*.json"))) == 3
    first = cross_validate(data, [SIGNAL], tmp_path / "cv")
    both = cross_validate(data, [NOISE, replace(SIGNAL, title="of old")], tmp_path / "cv")
    assert fitted == ["signal"] * 5 + ["noise"] * 4
    assert both.candidates[1].auc == first.candidates[0].auc
    assert both.best_by_auc.settings.title == both.best_by_ap.settings.title == "of old"
    assert both.candidates[0].mean("ap_lift") < 2 < both.candidates[1].mean("ap_lift")
    with pytest.raises(InputError, match="made otherwise"):
        cross_validate(events(seed=1), [SIGNAL], tmp_path / "cv")


def test_other_processes_find_the_same_and_leave_nothing_behind(tmp_path):
    data = events()
    candidates = [SIGNAL, *imbalance_treatments(ModelSettings("svm", ("signal", "noise")))]
    alone = cross_validate(data, candidates, tmp_path / "alone")
    with ThreadPoolExecutor(2) as pool:
        together = cross_validate(data, candidates, tmp_path / "together", pool=pool)
    assert alone == together
    files = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "together").iterdir()}
    assert len(files) == 1 + 4 * len(candidates)


def test_data_come_back_from_their_file_as_they_were(tmp_path):
    data = events(specimens=3)
    back = load_event_data(save_event_data(data, tmp_path / "data.safetensors"))
    assert fingerprint(back) == fingerprint(data)
    assert back.features == data.features
    assert back.graphs[1].structure is back.graphs[0].structure
    assert back.graphs[1].edges is back.graphs[0].edges
    touched = replace(data.graphs[4], d2min=data.graphs[4].d2min + np.eye(60)[7])
    assert fingerprint(EventData(data.features, [*data.graphs[:4], touched, data.graphs[5]])) != fingerprint(data)


def test_candidates_that_cannot_be_compared_are_refused(tmp_path):
    data = events()
    for candidates, reason in (
        ([], "no candidate"),
        ([SIGNAL, replace(SIGNAL, title="again")], "comes 2 times"),
        ([SIGNAL, replace(NOISE, threshold=0.2)], "one threshold"),
        ([ModelSettings("ranking", ("stiffness",))], "no feature is called 'stiffness'"),
    ):
        with pytest.raises(InputError, match=reason):
            cross_validate(data, candidates, tmp_path / "cv")
    with pytest.raises(InputError, match="no setting is called 'depth'"):
        grid(SIGNAL, {"depth": (1, 2)})
    assert not (tmp_path / "cv").exists()


def comparison():
    base = ModelSettings("boosting", ("signal", "noise"))
    rows = [
        CandidateScores(settings, (0.1, 0.2), auc, ap, (2.0, np.nan), (np.nan, np.nan))
        for settings, auc, ap in zip(
            (*grid(base, {"trees": (50, 100)}), SIGNAL),
            ((0.6, 0.7), (0.9, 0.8), (0.5, 0.4)),
            ((0.3, np.nan), (0.1, np.nan), (0.2, np.nan)),
            strict=True,
        )
    ]
    return CrossValidation(tuple(rows), (Fold(("a",), (), ("b",)), Fold(("b",), (), ("a",))), 0)


def test_the_table_names_what_differs_and_marks_both_bests():
    header, rows = comparison().table()
    assert header == ["model", "AUC", "AP", "AP / prevalence", "MCC", "best by"]
    assert [row[0].rpartition("features")[2] for row in rows] == [", trees 100", ", trees 50", "ranking by signal"]
    assert [row[-1] for row in rows] == ["AUC", "AP", ""]
    assert rows[0][1] == "0.850 ± 0.071"
    assert rows[0][2:5] == ["0.100", "2.00", "–"]
    assert "prevalence 0.100 to 0.200" in str(comparison())
    assert CrossValidation.from_dict(comparison().to_dict()).to_dict() == comparison().to_dict()
    with pytest.raises(WorkError, match="MCC is undefined"):
        comparison().best("mcc")


class Remembering:
    """A model that is as sure of an atom as its fold's number says, and remembers whom it was asked about."""

    def __init__(self, number, trained_on):
        self.number, self.trained_on, self.asked = number, trained_on, []

    def confidences(self, data):
        self.asked += [graph.name for graph in data.graphs]
        return self.number + data.values[:, 0]


def test_each_atom_is_predicted_by_the_model_that_never_saw_its_specimen():
    data = events(specimens=7)
    shuffled = EventData(data.features, [data.graphs[index] for index in np.random.default_rng(2).permutation(14)])
    folds = folds_by_specimen(data.specimens, 5, np.random.default_rng(0))
    models = [Remembering(100 * number, (*fold.train, *fold.validation)) for number, fold in enumerate(folds)]
    found = held_out_confidences(models, shuffled, folds)
    expected = [
        100 * next(number for number, fold in enumerate(folds) if graph.specimen in fold.test) + graph.features[:, 0]
        for graph in shuffled.graphs
    ]
    np.testing.assert_array_equal(found, np.concatenate(expected))
    assert sorted(name for model in models for name in model.asked) == sorted(graph.name for graph in data.graphs)


def test_a_model_that_saw_the_specimen_is_refused():
    data = events(specimens=5)
    folds = folds_by_specimen(data.specimens, 5, np.random.default_rng(0))
    models = [Remembering(0, fold.train) for fold in folds]
    models[2].trained_on = (*folds[2].train, folds[2].test[0])
    with pytest.raises(InputError, match="also trained on"):
        held_out_confidences(models, data, folds)
    with pytest.raises(InputError, match="4 models for 5 folds"):
        held_out_confidences(models[:4], data, folds)
    with pytest.raises(InputError, match=r"tested by [02] of the folds"):
        held_out_confidences(models, data, [folds[0], *folds[:4]])
