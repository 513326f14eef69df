"""``mechlearn glass``: from a melt to scores on glasses never seen, and what is refused on the way."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from glass_specimens import metallic_specimen
from mechlearn.cli.main import run
from mechlearn.glasses import SENSES, FeatureFolder, ShearRuns, prepare_glass
from mechlearn.glasses.quench.glass_recipe import GlassRecipe, Liquid, Quench
from mechlearn.structures import StructureBatch, read_structures, write_structures

#: Hotter and faster than any that means something, in the units of the mixture.
MELT = ("--temperature", 6, "--duration", 0.5, "--rate", 60)
MIXTURE = ("--potential", "kob-andersen", "--atoms", 160, *MELT)
COARSE = ("--sense", "xy", "--sense", "-xy", "--step", 1e-3, "--resolution", 1e-4)
ONE = ("--workers", 1)


@dataclass(frozen=True)
class Set:
    """Glasses, their runs, their features and a model, as the commands leave them."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return self.folder / name


def quietly(*words: object) -> None:
    """A command that has to end well."""
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        status = run([str(word) for word in words])
    assert status == 0, streams.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Set:
    """Four specimens, two senses each, and boosted trees that have seen three of them."""
    made = Set(tmp_path_factory.mktemp("glass"))
    quietly("glass", "prepare", "--count", 4, *MIXTURE, *ONE, "--out", made.glasses)
    quietly("glass", "shear", made.glasses, *COARSE, *ONE, "--out", made.runs)
    quietly("glass", "features", made.runs, *ONE, "--out", made.features)
    quietly("glass", "train", made.runs, made.features, "--trees", 20, "--hold-out", 0.25, "--out", made.model)
    return made


@pytest.fixture(scope="module")
def elastic(made: Set) -> Set:
    """One more specimen, strained so little that nothing yields."""
    elastic = Set(made.folder / "elastic")
    quietly("glass", "prepare", "--count", 1, "--seed", 1, *MIXTURE, *ONE, "--out", elastic.glasses)
    quietly("glass", "shear", elastic.glasses, "--sense", "xy", "--final-strain", 1e-4, *ONE, "--out", elastic.runs)
    quietly("glass", "features", elastic.runs, *ONE, "--out", elastic.features)
    return elastic


def test_prepared_glasses_are_those_of_the_library(made: Set) -> None:
    recipe = replace(GlassRecipe.kob_andersen(160), liquid=Liquid(6.0, 0.5), quench=Quench(60.0, 0.05, None))
    batch = read_structures(made.glasses)
    assert len(batch) == 4
    np.testing.assert_array_equal(batch.select([2]).positions, prepare_glass(recipe, 0, 2).structure.positions)


def test_a_folder_is_gone_on_with_and_refuses_other_options(mechlearn: Callable, made: Set) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.runs.glob("*.parquet")}
    outcome = mechlearn("glass", "shear", made.glasses, *COARSE, *ONE, "--out", made.runs, "--json")
    assert {path: path.stat().st_mtime_ns for path in made.runs.glob("*.parquet")} == before
    records = json.loads(outcome.out)["runs"]
    assert sorted(record["run"] for record in records) == list(ShearRuns.open(made.runs).names)
    assert {record["ended"] for record in records} == {"event"}
    outcome = mechlearn("glass", "shear", made.glasses, *COARSE, "--step", 5e-4, *ONE, "--out", made.runs)
    assert outcome.status == 2
    assert "was made otherwise (settings.step is 0.001 there and 0.0005 here)" in outcome.complaint


def test_tables_of_the_mixture_are_in_its_own_units(mechlearn: Callable, made: Set) -> None:
    table = mechlearn("glass", "shear", made.glasses, *COARSE, *ONE, "--out", made.runs).out
    assert "drop, ε/σ³" in table
    assert "GPa" not in table
    records = json.loads(mechlearn("glass", "shear", made.glasses, *COARSE, *ONE, "--out", made.runs, "--json").out)
    drops = {run.name: run.stress_drop for run in ShearRuns.open(made.runs)}
    assert {record["run"]: record["stress_drop"] for record in records["runs"]} == drops


def test_labels_count_what_the_runs_hold(mechlearn: Callable, made: Set, tmp_path: Path) -> None:
    runs = ShearRuns.open(made.runs).load()
    words = ("glass", "label", made.runs, "--threshold", 0.015, "--threshold", 1e6, "--json")
    outcome = mechlearn(*words, "--out", tmp_path / "labels.csv")
    low, high = json.loads(outcome.out)["thresholds"]
    positive = sum(int((one.d2min > 0.015).sum()) for one in runs)
    assert (low["positive"], low["events"]) == (positive, 8)
    assert low["prevalence"] == positive / (8 * 160)
    assert (high["positive"], high["events"], high["largest_cluster"]) == (0, 0, 0)
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 160
    assert sum(row["positive_0.015"] == "true" for row in rows) == positive


def test_features_are_named(mechlearn: Callable, made: Set) -> None:
    words = ("glass", "features", made.runs, *ONE, "--out", made.features, "--json")
    features = json.loads(mechlearn(*words).out)["features"]
    data = FeatureFolder.open(made.features).load(ShearRuns.open(made.runs))
    assert tuple(feature["name"] for feature in features) == data.names
    assert {feature["symbol"]: feature["unit"] for feature in features}["D²(u)"] == "Å²"


def test_structural_features_are_asked_for_by_their_kind(mechlearn: Callable, made: Set, tmp_path: Path) -> None:
    words = ("glass", "features", made.runs, *ONE, "--no-mechanism", "--out", tmp_path / "features", "--structural")
    outcome = mechlearn(*words, "voids")
    assert outcome.status == 2
    assert "no 'voids' of a structure; give interstices or symmetry functions" in outcome.err
    features = json.loads(mechlearn(*words, "interstices", "--json").out)["features"]
    assert len(features) == 19 + 15


def test_evaluation_has_chance_the_prevalence_and_maps(mechlearn: Callable, made: Set, tmp_path: Path) -> None:
    words = ("glass", "evaluate", made.model, made.runs, made.features, "--unseen", "--maps", tmp_path / "maps")
    outcome = mechlearn(*words, "--sweep", 0.5, "--sweep", 1e6)
    assert outcome.status == 0
    assert "chance" in outcome.out
    assert "2 runs of 1 specimen\n" in outcome.out
    scores = [line.split() for line in outcome.out.splitlines() if line.startswith(("prevalence  ", "AP  "))]
    assert [len(row) for row in scores] == [3, 3]
    assert "localisation" in outcome.out
    assert outcome.out.splitlines()[-2].split() == ["1e+06", "0", *["undefined"] * 5]
    [map_file, _] = sorted((tmp_path / "maps").glob("*.xyz"))
    atoms = read(map_file, do_not_split_by_at_sign=True)
    assert set(atoms.arrays) >= {"confidence", "d2min", "color"}
    assert len(atoms) == 160


def test_a_label_set_without_a_positive_atom_is_undefined_and_not_zero(
    mechlearn: Callable, made: Set, elastic: Set
) -> None:
    outcome = mechlearn("glass", "evaluate", made.model, elastic.runs, elastic.features, "--json")
    assert outcome.status == 0
    assert outcome.err == ""
    card = json.loads(outcome.out)
    assert card["prevalence"] == 0
    for model in card["models"]:
        assert all(model[key]["value"] is None for key in ("recall", "precision", "auc", "ap", "ap_lift"))
    assert "undefined" in mechlearn("glass", "evaluate", made.model, elastic.runs, elastic.features).out


def test_specimens_that_were_trained_on_are_refused(mechlearn: Callable, made: Set) -> None:
    outcome = mechlearn("glass", "evaluate", made.model, made.runs, made.features)
    assert outcome.status == 2
    assert "3 of them (specimen-" in outcome.complaint
    assert "were also trained on" in outcome.complaint


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--model", "svn"], "there is no kind 'svn'; did you mean 'svm'?"),
        (["--features", "papr"], "'papr' is no group and no feature"),
        (["--hold-out", 0.5, "--validation", 0.5], "leave none to learn from"),
        (["--imbalance", "focal"], "'focal' is no imbalance for it"),
        (["--threshold", 1e6], "a D²min above 1e+06 Å²"),
    ],
)
def test_what_cannot_be_trained(mechlearn: Callable, made: Set, tmp_path: Path, words: list, found: str) -> None:
    outcome = mechlearn("glass", "train", made.runs, made.features, *words, "--out", tmp_path / "model")
    assert outcome.status == 2
    assert found in outcome.err.splitlines()[-1]
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--composition", "Cu64Zr35"], "the percentages of Cu64Zr35 sum to 99"),
        (["--composition", "Cu50Zr40Al10"], "knows Cu, Zr, not Al"),
        (["--atoms", 100], "narrower than twice the cutoff"),
        (["--potential", "absent.eam.alloy"], "absent.eam.alloy"),
        (["--rate", 0], "the quench rate is 0"),
        (["--window", 700, 1300], "the temperatures [2000.0, 700.0, 1300.0, 300.0] do not fall"),
        (["--swaps", 0], "the number of swaps is 0"),
        (["--swaps", 50, "--composition", "Cu100"], "has one element; leave the swaps out"),
        (["--timestep", -0.1], "the time step is -0.1"),
    ],
)
def test_glasses_that_cannot_be_prepared(mechlearn: Callable, tmp_path: Path, words: list, found: str) -> None:
    outcome = mechlearn("glass", "prepare", "--count", 2, "--atoms", 230, *words, *ONE, "--out", tmp_path / "glasses")
    assert outcome.status == 2
    assert found in outcome.err.splitlines()[-1]
    assert not (tmp_path / "glasses").exists()


def test_structures_of_ones_own_take_a_potential_and_a_gradient(mechlearn: Callable, tmp_path: Path) -> None:
    file = write_structures(metallic_specimen(), tmp_path / "mine.xyz")
    words = ("glass", "shear", file, "--gradient", "pull=-0.5,0,0,0,-0.5,0,0,0,1", "--final-strain", 2e-4, *ONE)
    outcome = mechlearn(*words, "--out", tmp_path / "runs")
    assert outcome.status == 2
    assert "does not say what holds the atoms together" in outcome.complaint
    assert mechlearn(*words, "--potential", "CuZr_mm.eam.fs", "--out", tmp_path / "runs").status == 0
    [pulled] = ShearRuns.open(tmp_path / "runs").load()
    np.testing.assert_array_equal(pulled.gradient, np.diag([-0.5, -0.5, 1.0]))


def test_a_glass_that_crystallised_is_refused(mechlearn: Callable, tmp_path: Path) -> None:
    crystal = bulk("Cu", a=3.64, cubic=True) * 4
    crystal.rattle(0.05, seed=1)
    file = write_structures(StructureBatch.from_atoms([crystal]), tmp_path / "cooled.xyz")
    words = ("glass", "shear", file, "--potential", "CuZr_mm.eam.fs", *ONE, "--out", tmp_path / "runs")
    outcome = mechlearn(*words)
    assert outcome.status == 2
    assert "it crystallised, 100% of its atoms" in outcome.complaint
    assert not (tmp_path / "runs").exists()


def test_atoms_that_do_not_come_to_rest_are_said_and_kept(mechlearn: Callable, tmp_path: Path) -> None:
    file = write_structures(metallic_specimen(repeats=2), tmp_path / "small.xyz")
    words = ("glass", "shear", file, "--potential", "CuZr_mm.eam.fs", "--crystalline", 1, "--sense", "xy", *ONE)
    outcome = mechlearn(*words, "--largest-force", 1e-19, "--evaluations", 30, "--out", tmp_path / "runs")
    assert outcome.status == 1
    assert "1 of 1 runs ended where the atoms did not come to rest" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("mechlearn: shearing glasses: no run came to rest")
    [stuck] = ShearRuns.open(tmp_path / "runs").load()
    assert stuck.ended == "not at rest"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--sense", "xz-"], "there is no sense 'xz-'; choose one of " + ", ".join(SENSES)),
        (["--gradient", "pull=1,2,3"], "found 'pull=1,2,3'; give a name and nine numbers"),
        (["--gradient", "xy=0,1,0,0,0,0,0,0,0"], "'xy' is taken"),
        (["--step", 1e-7], "the resolution 1e-06 is coarser than the step 1e-07"),
    ],
)
def test_loadings_that_are_none(mechlearn: Callable, made: Set, tmp_path: Path, words: list, found: str) -> None:
    outcome = mechlearn("glass", "shear", made.glasses, *words, *ONE, "--out", tmp_path / "runs")
    assert outcome.status == 2
    assert found in outcome.complaint
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("state", ["missing", "empty"])
@pytest.mark.parametrize("command", ["shear", "label", "features", "train", "evaluate"])
def test_folders_that_hold_nothing(mechlearn: Callable, made: Set, tmp_path: Path, command: str, state: str) -> None:
    folder = tmp_path / "nothing"
    if state == "empty":
        folder.mkdir()
    rest = {"train": [made.features], "evaluate": [folder, folder]}.get(command, [])
    out = [] if command in ("label", "evaluate") else ["--out", tmp_path / "out"]
    outcome = mechlearn("glass", command, folder, *rest, *out)
    assert outcome.status == 2
    assert str(folder) in outcome.complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["label", "features", "train"])
def test_a_truncated_run_is_named(mechlearn: Callable, made: Set, tmp_path: Path, command: str) -> None:
    runs = shutil.copytree(made.runs, tmp_path / "runs")
    cut = min(runs.glob("*.parquet"))
    cut.write_bytes(cut.read_bytes()[:-100])
    rest = {"train": [made.features], "label": []}.get(command, [])
    out = [] if command == "label" else ["--out", tmp_path / "out"]
    outcome = mechlearn("glass", command, runs, *rest, *out)
    assert outcome.status == 2
    assert cut.name in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_the_study_names_glasses_that_are_not_there(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn(
        "study", "run", "shear_transformation", "--glasses", tmp_path / "none", "--out", tmp_path / "out"
    )
    assert outcome.status == 2
    assert "reading the glasses" in outcome.err
    assert not (tmp_path / "out").exists()
