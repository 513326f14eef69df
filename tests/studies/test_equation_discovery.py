"""The study of equations, end to end on a scale of seconds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from browser import browser
from mechlearn.equations import Equation, Field, write_field
from mechlearn.equations.examples.example_fields import KNOWN
from mechlearn.errors import InputError
from mechlearn.records import read_json
from mechlearn.studies import equation_discovery_fields, equation_discovery_peers, run_study
from mechlearn.studies.equation_discovery import STUDY
from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig, FieldPlan
from mechlearn.studies.equation_discovery_fields import Source, truth_of
from mechlearn.studies.equation_discovery_judging import is_exact, judged
from mechlearn.studies.equation_discovery_plan import plan_study

__all__ = ["browser"]

SPEED = 0.5
SEARCH = {"noises": [0.1], "draws": 2, "degree": 2, "derivative_order": 2}


def wave(path: Path) -> Path:
    """A file with a wave of two lengths, u_t = -0.5 u_x."""
    x, t = np.linspace(0, 10, 80), np.linspace(0, 5, 60)
    s = x[:, None] - SPEED * t
    return write_field(path, Field({"u": np.sin(s) + np.cos(2.3 * s)}, {"x": x, "t": t}))


def tiny(data: Path | None, **changes: Any) -> EquationDiscoveryConfig:
    """The study on a scale of seconds."""
    options: dict[str, Any] = {
        "own": SEARCH,
        "resamples": 20,
        "peers": False,  # PySINDy takes seconds to load, in every worker
        "parts": ["fields", "symmetry", "interactions"],
        "laws": [{"name": "isotropic", "draws": 1}],
        "crystals": [{"cases": 6, "grains": 4}],
    }
    if data is not None:
        options["data"] = str(data)
    return STUDY.configure("quick", options=options | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on a file whose name wants to be a tag."""
    folder = tmp_path_factory.mktemp("equations")
    run_study(STUDY, tiny(wave(folder / "<b>wave.npz")), folder / "out")
    return folder / "out"


def test_results_hold_what_is_promised(finished: Path) -> None:
    results = read_json(finished / "results.json")
    row = results["fields"][0]
    assert (row["data"], row["noise"], row["method"], row["seeds"]) == ("<b>wave", 0.1, "mechlearn", 2)
    assert row["exact"] == row["within_5_percent"] == 2
    assert 0 < row["median_error"] <= row["largest_error"] < 0.05
    first = results["equations"][0]
    assert [term["name"] for term in first["terms"]] == ["u_x"]
    assert first["terms"][0]["coefficient"] == pytest.approx(-SPEED, rel=1e-3)
    assert Equation.from_dict(first).lhs.name == "u_t"
    law = results["symmetry"][0]
    assert (law["law"], law["group_true"], law["chosen"], law["share_right"]) == (
        "isotropic",
        "isotropic",
        {"isotropic": 1},
        1.0,
    )
    assert {"group", "terms", "held_out_error", "adequate", "share"} <= set(law["evidence"][0])
    tensors = results["interactions"][0]["tensors"]
    assert (tensors["H"]["entries"], tensors["H"]["independent"]) == (144, 7)
    assert (tensors["K"]["entries"], tensors["K"]["independent"]) == (1728, 74)
    assert results["coordinates"] == []


def test_the_simulation_follows_the_data(finished: Path) -> None:
    run = read_json(finished / "results.json")["simulations"][0]
    assert run["failure"] == ""
    assert run["horizon"] is None
    assert run["error"] < 0.05


def test_workers_and_losses_do_not_change_results(finished: Path, tmp_path: Path) -> None:
    """Two workers, and a run that lost a stage, end in the same bytes of results."""
    config = tiny(finished.parent / "<b>wave.npz")
    run_study(STUDY, config, tmp_path / "two", workers=2)
    expected = (finished / "results.json").read_bytes()
    assert (tmp_path / "two" / "results.json").read_bytes() == expected
    stages = sorted((tmp_path / "two" / "data" / "stages").glob("*.json"))
    kept = {stage: stage.stat().st_mtime_ns for stage in stages[1:]}
    stages[0].unlink()
    (tmp_path / "two" / "results.json").unlink()
    run_study(STUDY, config, tmp_path / "two", workers=1)
    assert (tmp_path / "two" / "results.json").read_bytes() == expected
    assert {stage: stage.stat().st_mtime_ns for stage in kept} == kept


def test_a_file_written_anew_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where PySINDy is asked for but missing, its rows are left out, and it is said."""
    monkeypatch.setattr(equation_discovery_peers, "pysindy_is_there", lambda: False)
    path = wave(tmp_path / "wave.npz")
    config = tiny(path, parts=["fields"], own={**SEARCH, "draws": 1}, peers=True)
    before = run_study(STUDY, config, tmp_path / "out")
    x, t = np.linspace(0, 10, 80), np.linspace(0, 5, 61)
    s = x[:, None] - t
    write_field(path, Field({"u": np.sin(s) + np.cos(2.3 * s)}, {"x": x, "t": t}))
    after = run_study(STUDY, config, tmp_path / "out")
    speeds = [found["equations"][0]["terms"][0]["coefficient"] for found in (before, after)]
    assert speeds == pytest.approx([-0.5, -1.0], rel=1e-3)
    assert {row["method"] for row in after["fields"]} == {"mechlearn"}
    assert "PySINDy is not installed" in after["summary"][-1]


def test_report_says_the_equation_first_and_draws_it_as_mathematics(finished: Path) -> None:
    page = (finished / "report.html").read_text("utf-8")
    summary = read_json(finished / "results.json")["summary"]
    assert "u_t = -0.5 u_x" in summary[0]
    assert summary[-1].startswith("How far to trust it: The data are your own")
    formulas = re.findall(r"<math .*?</math>", page)
    assert "".join(fromstring(formulas[0]).itertext()) == "ut=−0.500\u2062ux"
    assert page.index(formulas[0]) < page.index('id="figure-1"')


def test_names_of_files_do_not_become_markup(finished: Path) -> None:
    outside = re.sub(r"<script.*?</script>", "", (finished / "report.html").read_text("utf-8"), flags=re.S)
    assert "<b>wave" not in outside
    assert "&lt;b&gt;wave" in outside


def test_pysindy_is_asked_with_the_same_candidates() -> None:
    pytest.importorskip("pysindy")
    t = np.linspace(0, 20, 400)
    field = Field({"x": np.sin(t), "v": np.cos(t)}, {"t": t})
    settings = equation_discovery_fields.settings_of(FieldPlan(degree=2, derivative_order=0), 20)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    found = equation_discovery_peers.pysindy_terms(field, settings, seed=0)
    assert found is not None
    assert is_exact(found, {"x_t": {"v": 1.0}, "v_t": {"x": -1.0}})
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_draws_are_judged_by_their_terms_and_then_by_their_coefficients() -> None:
    truth = {"u_t": {"u_xx": 0.1}}
    found = [{"u_t": {"u_xx": 0.102}}, {"u_t": {"u_xx": 0.11}}, {"u_t": {"u_xx": 0.1, "u": 1.0}}]
    row = judged(found, truth)
    assert (row["seeds"], row["exact"], row["within_5_percent"]) == (3, 2, 1)
    assert row["median_error"] == pytest.approx(0.06)
    assert row["largest_error"] == pytest.approx(0.1)
    assert judged(found[2:], truth)["largest_error"] is None


def test_a_file_is_a_known_system_only_where_its_equation_is() -> None:
    """A file called burgers with another viscosity is not held to ours."""
    source = Source(FieldPlan(name="burgers"), "burgers.npz")
    config = EquationDiscoveryConfig()
    near = {"u_t": {"u u_x": -0.99, "u_xx": 0.101}}
    other = {"u_t": {"u u_x": -1.0, "u_xx": 0.01}}
    assert truth_of(source, config, near) == (KNOWN["burgers"], "known")
    assert truth_of(source, config, other) == (other, "found without noise added")
    told = EquationDiscoveryConfig(known={"burgers": other})
    assert truth_of(source, told, near) == (other, "told by the settings")


def test_the_plan_times_one_search_of_every_kind(tmp_path: Path) -> None:
    plan = plan_study(tiny(wave(tmp_path / "wave.npz")), workers=2)
    assert [(stage.name, stage.tasks) for stage in plan.stages] == [
        ("interactions: fcc crystals", 1),
        ("symmetry: isotropic", 1),
        ("fields: wave", 3),
    ]
    assert all(stage.core_seconds > 0 for stage in plan.stages)


@pytest.mark.parametrize("option", [{"fields": [{"name": "burger"}]}, {"laws": [{"name": "cubical"}]}])
def test_an_unknown_name_suggests_the_nearest(option: dict[str, Any], tmp_path: Path) -> None:
    config = tiny(None, **option)
    with pytest.raises(InputError, match=r"no (data set|law) '\w+'; did you mean '(burgers|cubic)'\?"):
        run_study(STUDY, config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.browser
def test_report_in_a_browser(finished: Path, browser) -> None:  # type: ignore[no-untyped-def]
    """The report draws every figure and formula, complains of nothing and asks for nothing."""
    browser.open(finished / "report.html")
    figures = (finished / "report.html").read_text("utf-8").count('class="plot"')
    browser.wait_for(f"document.querySelectorAll('.plot .main-svg').length >= {figures}")
    assert browser.evaluate("document.querySelector('h1').textContent") == "Which equations do your data obey?"
    heights = browser.evaluate(
        "[...document.querySelectorAll('math')].map(formula => formula.getBoundingClientRect().height)"
    )
    assert len(heights) >= 2
    assert min(heights) > 15
    label = browser.evaluate("document.querySelector('[role=math]').getAttribute('aria-label')")
    assert label.startswith("u_t = -0.5 u_x")
    assert browser.complaints == []
    assert browser.requests == []
