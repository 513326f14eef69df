"""``mechlearn study``: what is found, what is refused, what goes on, what is printed."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mechlearn import studies
from mechlearn.studies import Preset, Study, StudyConfig, StudyContext, registry
from mechlearn.studies.plan import Plan, StagePlan


class CoinConfig(StudyConfig):
    """Settings of the study that stands in for a real one."""

    tosses: int = 4
    expert: str | None = None


def toss(config: CoinConfig, context: StudyContext) -> Mapping[str, Any]:
    """Toss a coin, and say that it was tossed only where it was."""

    def heads() -> Mapping[str, Any]:
        print("tossing", file=sys.stderr)
        return {"heads": context.rng(0).integers(0, 2, config.tosses).sum()}

    return {**context.stage("toss", heads), "undefined": float("nan")}


@pytest.fixture(autouse=True)
def coin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of no weight in the registry."""
    module = ModuleType("coin_study")
    presets = {"quick": Preset(CoinConfig(), "a second"), "paper": Preset(CoinConfig(tosses=400), "an hour")}
    module.STUDY = Study(  # type: ignore[attr-defined]
        "coin", "Is it fair?", CoinConfig, presets, toss, lambda results: f"heads: {results['heads']}"
    )
    monkeypatch.setitem(sys.modules, "coin_study", module)
    monkeypatch.setattr(registry, "STUDIES", {"coin": "coin_study:STUDY"})


def test_list_shows_the_question_and_what_each_preset_costs(mechlearn: Callable) -> None:
    outcome = mechlearn("study", "list")
    assert outcome.status == 0
    assert "coin: Is it fair?" in outcome.out
    assert "paper    an hour" in outcome.out


def test_list_as_json(mechlearn: Callable) -> None:
    studies = json.loads(mechlearn("study", "list", "--json").out)["studies"]
    assert studies == [
        {"name": "coin", "question": "Is it fair?", "presets": {"quick": "a second", "paper": "an hour"}}
    ]


def test_run_leaves_the_promised_files(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path / "out", "--seed", 3)
    assert outcome.status == 0
    assert outcome.out.startswith("heads: ")
    assert f"{tmp_path / 'out' / 'results.json'}" in outcome.out
    assert "a second" in outcome.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"config.toml", "results.json", "data", "run.log"}
    assert "seed = 3" in (tmp_path / "out" / "config.toml").read_text()
    assert "seed 3" in (tmp_path / "out" / "run.log").read_text()


def test_json_is_one_object_and_nothing_else_on_standard_output(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path, "--json")
    assert json.loads(outcome.out) == json.loads((tmp_path / "results.json").read_text())
    assert json.loads(outcome.out)["undefined"] is None
    assert "tossing" in outcome.err


def test_the_same_command_does_nothing_twice_and_ends_in_the_same_bytes(mechlearn: Callable, tmp_path: Path) -> None:
    first = mechlearn("study", "run", "coin", "--out", tmp_path)
    before = (tmp_path / "results.json").read_bytes()
    (tmp_path / "results.json").unlink()
    again = mechlearn("study", "run", "coin", "--out", tmp_path)
    assert "tossing" in first.err
    assert "tossing" not in again.err
    assert (tmp_path / "results.json").read_bytes() == before


def test_a_left_behind_config_repeats_the_run(mechlearn: Callable, tmp_path: Path) -> None:
    mechlearn("study", "run", "coin", "--out", tmp_path / "a", "--preset", "paper", "--seed", 5)
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path / "b", "--config", tmp_path / "a" / "config.toml")
    assert outcome.status == 0
    for name in ("results.json", "config.toml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_dry_run_prints_the_settings_and_writes_nothing(mechlearn: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = mechlearn("study", "run", "coin", "--out", out, "--preset", "paper", "--dry-run")
    assert (outcome.status, outcome.out) == (0, "seed = 0\ntosses = 400\n")
    assert "an hour" in outcome.err
    assert not out.exists()


def test_dry_run_tells_what_a_sample_says(mechlearn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan stands below the settings as comments, so that what is printed is still a file of settings."""
    stage = StagePlan("tosses", 8, 7200.0, 1800.0, 3e9, "4 tosses")
    study = replace(registry.find_study("coin"), plan=lambda config, workers: Plan((stage,), workers, 0.1))
    monkeypatch.setattr(registry, "find_study", lambda name: study)
    monkeypatch.setattr(studies, "find_study", lambda name: study)
    printed = mechlearn("study", "run", "coin", "--workers", 2, "--dry-run").out
    assert tomllib.loads(printed) == {"seed": 0, "tosses": 4}
    assert [line.split()[:5] for line in printed.splitlines() if "tosses  " in line] == [["#", "tosses", "8", "2", "3"]]
    plan = json.loads(mechlearn("study", "run", "coin", "--workers", 8, "--dry-run", "--json").out)["plan"]
    assert (plan["tasks"], plan["core_hours"], plan["wall_hours"], plan["gigabytes"]) == (8, 2.0, 0.5, 3.0)


@pytest.mark.parametrize(
    ("text", "cost"),
    [("tosses = 5", None), ("seed = 7", "a second"), ("tosses = 400", "an hour")],
)
def test_a_cost_is_told_only_of_settings_that_a_preset_has(
    mechlearn: Callable, tmp_path: Path, text: str, cost: str | None
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    dry = mechlearn("study", "run", "coin", "--config", file, "--dry-run").err
    assert dry == f"it would cost: {cost or 'not known, as these are the settings of no preset'}\n"
    said = mechlearn("study", "run", "coin", "--config", file, "--out", tmp_path / "out").err
    assert ("a second" in said, "an hour" in said) == (cost == "a second", cost == "an hour")


# ------------------------------------------------------------------ what is refused


def test_an_unknown_study_suggests_the_nearest(mechlearn: Callable) -> None:
    outcome = mechlearn("study", "run", "coins")
    assert outcome.status == 2
    assert "no study 'coins'; did you mean 'coin'?" in outcome.complaint


def test_an_unknown_preset_names_the_known(mechlearn: Callable) -> None:
    outcome = mechlearn("study", "run", "coin", "--preset", "huge")
    assert outcome.status == 2
    assert "no preset 'huge'; known: quick, paper" in outcome.complaint


def test_an_unknown_key_names_file_and_key_and_suggests_the_nearest(mechlearn: Callable, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("toses = 5\n")
    outcome = mechlearn("study", "run", "coin", "--config", file, "--out", tmp_path / "out")
    assert outcome.status == 2
    assert f"{file}: unknown key 'toses'; did you mean 'tosses'?" in outcome.complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tosses = 'many'\n", "key 'tosses': input should be a valid integer"),
        ("tosses = \n", "not TOML: Invalid value (at line 1"),
        ("seed = -1\n", "key 'seed': input should be greater than or equal to 0, found -1"),
        ("study = 'dice'\n", "settings of the study 'dice', not of 'coin'"),
    ],
)
def test_a_wrong_config_file_is_refused(mechlearn: Callable, tmp_path: Path, text: str, found: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    outcome = mechlearn("study", "run", "coin", "--config", file, "--out", tmp_path / "out")
    assert outcome.status == 2
    assert found in outcome.complaint
    assert str(file) in outcome.complaint


@pytest.mark.parametrize(("option", "what"), [("--config", "TOML file"), ("--expert", "no such file or folder")])
def test_a_missing_path_is_refused(mechlearn: Callable, tmp_path: Path, option: str, what: str) -> None:
    outcome = mechlearn("study", "run", "coin", option, tmp_path / "absent", "--out", tmp_path / "out")
    assert outcome.status == 2
    assert str(tmp_path / "absent") in outcome.complaint
    assert what in outcome.complaint


def test_a_folder_of_another_run_is_refused_and_left_alone(mechlearn: Callable, tmp_path: Path) -> None:
    mechlearn("study", "run", "coin", "--out", tmp_path, "--seed", 1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path, "--seed", 2)
    assert outcome.status == 2
    assert "seed is 1 there and 2 here" in outcome.err
    assert "another --out" in outcome.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_folder_of_other_files_is_refused(mechlearn: Callable, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path)
    assert outcome.status == 2
    assert "holds files that are not a study's" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_ctrl_c_keeps_what_is_done(mechlearn: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = sys.modules["coin_study"].STUDY  # type: ignore[attr-defined]

    def interrupted(config: CoinConfig, context: StudyContext) -> Mapping[str, Any]:
        toss(config, context)
        raise KeyboardInterrupt

    module = sys.modules["coin_study"]
    stopped = Study(study.name, study.question, study.config_type, study.presets, interrupted)
    monkeypatch.setattr(module, "STUDY", stopped)
    outcome = mechlearn("study", "run", "coin", "--out", tmp_path)
    assert outcome.status == 130
    assert outcome.err.splitlines()[-1].endswith("the same command goes on")
    assert "stopped by KeyboardInterrupt" in (tmp_path / "run.log").read_text()
    monkeypatch.setattr(module, "STUDY", study)
    again = mechlearn("study", "run", "coin", "--out", tmp_path)
    assert again.status == 0
    assert "tossing" not in again.err
