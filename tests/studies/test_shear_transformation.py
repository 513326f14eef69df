"""The study of shear transformations, end to end on a scale of seconds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import browser
from mechlearn.errors import InputError
from mechlearn.glasses.loading.shear_runs import ShearRuns
from mechlearn.glasses.prediction.event_models import load_event_model
from mechlearn.learning import load_arrays
from mechlearn.records import read_json
from mechlearn.structures import StructureSet, write_structures
from mechlearn.studies import run_study
from mechlearn.studies.shear_transformation import STUDY
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_plan import plan_study

__all__ = ["browser"]

SCORES = ("recall", "precision", "f1", "mcc", "auc", "ap", "ap_lift", "run_lift", "localisation")
NAMES = [
    "GAT on the paper's features",
    "D²min of u alone",
    "boosting on all features",
    "SVM on symmetry functions (softness)",
]


def tiny(**changes: Any) -> ShearTransformationConfig:
    """The study on a scale of seconds."""
    options: dict[str, Any] = {
        "preparation": {
            "specimens": 5, "atoms": 220, "liquid_temperature": 4000.0, "liquid_duration": 0.8, "quench_rate": 5e15
        },
        "larger": {"specimens": 1, "atoms": 260},
        "senses": ["xy", "-xy"],
        "step": 1e-3,
        "modes": 10,
        "folds": 3,
        "models": [
            {"kind": "gat", "epochs": 2, "layers": 2, "width": 3, "heads": 2},
            {"kind": "ranking", "features": "D²min of u"},
            {"kind": "boosting", "features": "all", "trees": 10},
            {"kind": "svm", "features": "symmetry functions"},
        ],
        "imbalance": {"models": [{"kind": "svm"}], "folds": 3},
    }  # fmt: skip
    return STUDY.configure("quick", options=options | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("glasses") / "out"
    run_study(STUDY, tiny(), out)
    return out


def test_results_hold_what_is_promised(finished: Path) -> None:
    results = read_json(finished / "results.json")
    assert (results["specimens"], results["atoms"], results["loadings"]) == (5, 220, 2)
    assert len(results["events"]) + len(results["without_event"]) == results["runs"] == 10
    assert [row["name"] for row in results["models"]] == NAMES
    for row in results["models"]:
        assert all(set(row[score]) == {"value", "low", "high"} for score in SCORES)
        assert row["ap_lift"]["value"] == pytest.approx(row["ap"]["value"] / results["prevalence"])
    assert {row["name"] for row in results["sweep"]} == {NAMES[0], results["best"]}
    shares = [row["prevalence"] for row in results["sweep"] if row["name"] == NAMES[0]]
    assert shares == sorted(shares, reverse=True)
    assert results["aqs"]["steps"] > 8
    assert results["aqs"]["force_evaluations"] > results["aqs"]["steps"]
    assert 0 < results["aqs"]["max_residual_force"] <= 1e-6
    assert (results["larger"]["specimens"], results["larger"]["atoms"]) == (1, 260)
    assert len(results["imbalance"]["candidates"]) == 4


def test_figures_are_those_of_the_runs_on_disk(finished: Path) -> None:
    """Prevalence and strains are counted again from the files that the user gets."""
    results = read_json(finished / "results.json")
    runs = [run for run in ShearRuns.open(finished / "data" / "glasses-sheared") if run.ended == "event"]
    positive = sum(int((run.d2min > 0.1).sum()) for run in runs)
    assert results["prevalence"] == pytest.approx(positive / (220 * len(runs)))
    assert sorted(row["strain"] for row in results["events"]) == sorted(run.strain for run in runs)
    assert len(list((finished / "data" / "maps" / "glasses").glob("*.xyz"))) == len(runs)


def test_no_specimen_is_scored_by_a_model_that_saw_it(finished: Path) -> None:
    tested = []
    for file in sorted((finished / "data" / "predictions").glob("0-*.safetensors")):
        said, about = load_arrays(file)
        model = load_event_model(finished / "models" / file.stem)
        assert set(model.trained_on) == set(about["trained_on"])
        assert not set(about["trained_on"]) & set(about["tested_on"])
        assert np.isfinite(said["glasses"]).all()
        tested += about["tested_on"]
    assert len(tested) == len(set(tested)) == len({run.specimen for run in _with_event(finished)})


def _with_event(finished: Path) -> list[Any]:
    return [run for run in ShearRuns.open(finished / "data" / "glasses-sheared") if run.ended == "event"]


def test_a_run_that_lost_its_later_stages_ends_in_the_same_results(finished: Path, tmp_path: Path) -> None:
    """What was lost is done again, what was not stays as it is."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    for lost in ("models", "data/predictions", "data/imbalance", "data/larger-features", "data/maps"):
        shutil.rmtree(out / lost)
    next((out / "data" / "glasses-sheared").glob("*.parquet")).unlink()
    (out / "results.json").unlink()
    kept = {file: file.stat().st_mtime_ns for file in (out / "data" / "glasses-features").glob("*.parquet")}
    run_study(STUDY, tiny(), out)
    assert (out / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    for part in ("glasses-sheared", "predictions"):
        for file in (finished / "data" / part).glob("[!.]*"):
            assert (out / "data" / part / file.name).read_bytes() == file.read_bytes()


@pytest.mark.slow
def test_two_workers_end_in_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    run_study(STUDY, tiny(), tmp_path / "two", workers=2)
    assert (tmp_path / "two" / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    for file in (finished / "data").rglob("*.safetensors"):
        assert (tmp_path / "two" / file.relative_to(finished)).read_bytes() == file.read_bytes()


def test_takes_glasses_of_ones_own(finished: Path, tmp_path: Path) -> None:
    """The same glasses from a file give the same events; runs without one are told and left out."""
    glasses = StructureSet.open(finished / "data" / "glasses").load().without_labels()
    write_structures(glasses, tmp_path / "mine.xyz")
    changes: dict[str, Any] = {
        "larger": None, "imbalance": None, "models": [{"kind": "ranking", "features": "D²min of u"}]
    }  # fmt: skip
    # Strained to the second event at most, so that some run has none.
    strains = sorted(row["strain"] for row in read_json(finished / "results.json")["events"])
    changes["final_strain"] = 0.5 * (strains[-1] + strains[-2])
    results = run_study(STUDY, tiny(glasses=str(tmp_path / "mine.xyz"), **changes), tmp_path / "out")
    assert [row["strain"] for row in results["events"]] == pytest.approx(
        [row["strain"] for row in read_json(finished / "results.json")["events"] if row["strain"] != strains[-1]],
        abs=1e-5,
    )
    assert len(results["without_event"]) == 10 - len(results["events"])
    assert "no event came" in results["summary"][-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 6}, "5 glasses fall into 6 folds by specimen; give more glasses, or fewer folds"),
        ({"models": [{"kind": "ranking", "features": "D2min of u"}]}, "did you mean 'D²min of u'"),
        ({"models": [{"kind": "svm"}, {"kind": "svm"}]}, 'two models are called "SVM on the paper\'s features"'),
        ({"potential": "W_zhou.eam.alloy"}, "Cu"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        run_study(STUDY, tiny(**options), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_report_says_first_what_was_found_with_the_prevalence_beside_it(finished: Path) -> None:
    page = (finished / "report.html").read_text("utf-8")
    summary = read_json(finished / "results.json")["summary"]
    for words in ("takes part", "average precision", "times what chance gives", "AUC", "glasses that it never saw"):
        assert words in summary[0]
    assert summary[-1].startswith("How far to trust it")
    assert page.index("What was found") < page.index("The glasses and their first events") < page.index("Limits")
    for name in NAMES:
        assert name.replace("'", "&#39;") in page


def test_the_plan_knows_every_stage() -> None:
    plan = plan_study(tiny(), workers=2)
    assert [(stage.name, stage.tasks) for stage in plan.stages] == [
        ("quench, 220 atoms", 5),
        ("shear, 220 atoms", 10),
        ("features, 220 atoms", 5),
        ("quench, 260 atoms", 1),
        ("shear, 260 atoms", 2),
        ("features, 260 atoms", 1),
        (f"fit: {NAMES[0]}", 3),
        (f"fit: {NAMES[2]}", 3),
        (f"fit: {NAMES[3]}", 3),
        ("imbalance", 12),
    ]
    assert all(stage.core_seconds > 0 for stage in plan.stages)


@pytest.mark.browser
def test_report_in_a_browser(finished: Path, browser) -> None:  # type: ignore[no-untyped-def]
    """The report draws every figure, one of them a glass to turn, and asks for nothing."""
    browser.open(finished / "report.html")
    figures = (finished / "report.html").read_text("utf-8").count('class="plot"')
    assert figures >= 10
    browser.wait_for(f"document.querySelectorAll('.plot .main-svg').length >= {figures}")
    assert browser.evaluate("document.querySelector('h1').textContent") == "Where will this glass yield first?"
    assert browser.evaluate("document.querySelectorAll('.plot .gl-container canvas').length") >= 2
    # A machine without a graphics card draws in software, and the browser says so.
    assert [told for told in browser.complaints if "WebGL" not in told and "willReadFrequently" not in told] == []
    assert browser.requests == []
