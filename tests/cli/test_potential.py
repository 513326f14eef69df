"""``mechlearn potential``: fit, score, export, test, and the messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.interactions import LammpsPotential, label, labeller
from mechlearn.potentials import load_potential
from mechlearn.structures import StructureBatch, write_structures


@pytest.fixture(scope="module")
def displaced() -> StructureBatch:
    """Labelled tungsten cells with atoms displaced, in three groups."""
    rng = np.random.default_rng(1)
    images = []
    for a in np.linspace(3.0, 3.35, 30):
        image = bulk("W", a=a, cubic=True).repeat((2, 1, 1))
        image.positions += rng.normal(scale=0.12, size=image.positions.shape)
        images.append(image)
    batch = StructureBatch.from_atoms(images)
    return label(replace(batch, groups=("low", "middle", "high") * 10), labeller("eam"))


@pytest.fixture(scope="module")
def xyz(displaced: StructureBatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on disk."""
    path = tmp_path_factory.mktemp("data") / "displaced.xyz"
    write_structures(displaced, path)
    return path


@pytest.fixture
def fitted(mechlearn: Callable, xyz: Path, tmp_path: Path) -> Path:
    """A linear potential fitted by the command."""
    out = tmp_path / "W"
    outcome = mechlearn("potential", "fit", xyz, "--twojmax", 4, "--out", out)
    assert outcome.status == 0, outcome.err
    return out


def test_fit_leaves_model_lammps_files_split_and_scorecards(fitted: Path) -> None:
    names = {str(path.relative_to(fitted)) for path in fitted.rglob("*") if path.is_file()}
    assert {"model.json", "weights.safetensors", "split.json", "scorecard.json", "scorecard.txt"} <= names
    assert {f"lammps/W_linear.{ending}" for ending in ("snap", "snapcoeff", "snapparam")} <= names


def test_the_lammps_files_give_the_same_energies_and_forces(fitted: Path, displaced: StructureBatch) -> None:
    ours = load_potential(fitted).evaluate(displaced)
    theirs = LammpsPotential.from_files(fitted / "lammps" / "W_linear.snap").evaluate(displaced)
    np.testing.assert_allclose(ours.energies, theirs.energies, rtol=1e-8)
    np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-8 * np.abs(theirs.forces).max())


def test_the_scorecard_is_that_of_the_saved_potential(
    mechlearn: Callable, fitted: Path, xyz: Path, displaced: StructureBatch
) -> None:
    errors = load_potential(fitted).evaluate(displaced).energies - displaced.energies
    rmse = float(np.sqrt(np.mean((errors / displaced.sizes) ** 2)))
    outcome = mechlearn("potential", "evaluate", fitted, xyz, "--json")
    metrics = {metric["name"]: metric["value"] for metric in json.loads(outcome.out)["metrics"]}
    assert metrics["energy RMSE"] == pytest.approx(rmse, rel=1e-6)
    stored = json.loads((fitted / "scorecard.json").read_text())["scorecards"]["fitted"]["metrics"]
    assert next(m["value"] for m in stored if m["name"] == "energy RMSE") == pytest.approx(rmse, rel=1e-6)


def test_whole_groups_can_be_held_out(mechlearn: Callable, xyz: Path, tmp_path: Path) -> None:
    words = ("--twojmax", 2, "--hold-out", 0.33, "--hold-out-by", "group", "--out", tmp_path / "W", "--json")
    cards = json.loads(mechlearn("potential", "fit", xyz, *words).out)["scorecards"]
    groups = {name: {row["group"] for row in card["per_group"]} for name, card in cards.items()}
    assert len(groups["held_out"]) == 1
    assert not groups["held_out"] & groups["fitted"]


def test_a_network_is_fitted_and_exported(mechlearn: Callable, xyz: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    words = ("--model", "A1", "--twojmax", 2, "--epochs", 3, "--force-weight", 0, "--out", tmp_path / "W")
    assert mechlearn("potential", "fit", xyz, *words).status == 0
    outcome = mechlearn("potential", "export", tmp_path / "W", "--out", tmp_path / "lammps", "--name", "mine")
    assert outcome.status == 0
    assert all(Path(line).is_file() for line in outcome.out.splitlines())
    assert str(tmp_path / "lammps" / "mine.mliap") in outcome.out


def test_the_same_fit_again_ends_in_the_same_bytes(mechlearn: Callable, fitted: Path, xyz: Path) -> None:
    before = {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()}
    assert mechlearn("potential", "fit", xyz, "--twojmax", 4, "--out", fitted).status == 0
    assert {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()} == before


def test_nve_reports_an_order(mechlearn: Callable) -> None:
    words = ("--timestep", 1, "--timestep", 2, "--timestep", 4, "--duration", 0.1, "--json")
    outcome = mechlearn("potential", "nve", "eam", *words)
    result = json.loads(outcome.out)
    assert result["timestep_fs"] == [1.0, 2.0, 4.0]
    assert 1.0 < result["order"] < 3.0


def test_nve_says_what_an_order_and_its_interval_need(mechlearn: Callable) -> None:
    words = ("potential", "nve", "eam", "--duration", 0.05)
    two = mechlearn(*words, "--timestep", 2, "--timestep", 4).out.splitlines()[-1]
    assert "(an interval needs three timesteps that count)" in two
    one = mechlearn(*words, "--timestep", 2).out.splitlines()[-1]
    assert "not known, as it needs two timesteps that count" in one
    assert "nan" not in one + two


@pytest.mark.parametrize("name", ["W_2940_2017_2.snap", "W_2940_2017_2.snapcoeff", "W_zhou.eam.alloy"])
def test_a_potential_that_comes_with_lammps_is_known_by_its_name(mechlearn: Callable, xyz: Path, name: str) -> None:
    outcome = mechlearn("potential", "evaluate", name, xyz)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith(f"{name} on {xyz}")


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--model", "liner"], "no model 'liner'; did you mean 'linear'?"),
        (["--cutoff", "0"], "cutoff"),
        (["--hold-out", "1.5"], "share held out is 1.5"),
        (["--energy-weight", "-1"], "energy_weight is -1.0"),
        (["--group-weight", "low"], "give GROUP=FACTOR"),
        (["--group-weight", "lowest=2"], "lowest"),
        (["--model", "A1", "--ridge", "1"], "takes no stresses and no ridge"),
        (["--zbl", "4.8", "4.0"], "inner"),
    ],
)
def test_wrong_settings_are_one_line(
    mechlearn: Callable, xyz: Path, tmp_path: Path, words: list[str], found: str
) -> None:
    outcome = mechlearn("potential", "fit", xyz, "--out", tmp_path / "W", *words)
    assert outcome.status == 2
    assert found in outcome.err.splitlines()[-1]
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "W").exists()


def test_a_folder_of_another_fit_is_refused(mechlearn: Callable, fitted: Path, xyz: Path) -> None:
    outcome = mechlearn("potential", "fit", xyz, "--twojmax", 2, "--out", fitted)
    assert outcome.status == 2
    assert "fit.twojmax is 4 there and 2 here" in outcome.err


def test_an_unknown_potential_is_one_line(mechlearn: Callable, xyz: Path, tmp_path: Path) -> None:
    outcome = mechlearn("potential", "evaluate", tmp_path / "absent", xyz)
    assert outcome.status == 2
    assert "it is no folder of a fitted potential" in outcome.err.splitlines()[-1]


def test_an_element_that_the_potential_does_not_know_is_one_line(
    mechlearn: Callable, fitted: Path, tmp_path: Path
) -> None:
    copper = tmp_path / "copper.xyz"
    write_structures(label(StructureBatch.from_atoms([bulk("Cu")]), labeller("eam", ("Cu",))), copper)
    outcome = mechlearn("potential", "evaluate", fitted, copper)
    assert outcome.status == 2
    assert "Cu" in outcome.err.splitlines()[-1]


def test_other_potentials_have_no_lammps_files(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn("potential", "export", "eam", "--out", tmp_path / "out")
    assert outcome.status == 2
    assert "only SNAP and network potentials" in outcome.complaint
