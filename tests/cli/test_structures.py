"""``mechlearn structures``: the commands end to end on small sets, and their messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.interactions import label, labeller
from mechlearn.structures import StructureBatch, read_structures, write_structures


@pytest.fixture(scope="module")
def strained() -> StructureBatch:
    """Labelled bcc tungsten over volume and with atoms displaced, in two groups."""
    rng = np.random.default_rng(0)
    images = [bulk("W", a=a, cubic=True) for a in np.linspace(3.0, 3.35, 12)]
    for image in images:
        image.positions += rng.normal(scale=0.08, size=image.positions.shape)
    batch = StructureBatch.concatenate(
        [
            StructureBatch.from_atoms(images[:6], group="small"),
            StructureBatch.from_atoms(images[6:], group="large"),
        ]
    )
    return label(batch, labeller("eam"))


@pytest.fixture
def xyz(strained: StructureBatch, tmp_path: Path) -> Path:
    """The same on disk."""
    path = tmp_path / "strained.xyz"
    write_structures(strained, path)
    return path


def test_info_counts_structures_labels_and_groups(mechlearn: Callable, xyz: Path) -> None:
    outcome = mechlearn("structures", "info", xyz)
    assert outcome.status == 0
    assert "12 structures, 24 atoms of W" in outcome.out
    assert "small" in outcome.out


def test_only_info_tells_what_could_not_be_checked(mechlearn: Callable, xyz: Path) -> None:
    """A dozen structures are too few to compare: good to know of a set, and no news at every command."""
    info = mechlearn("structures", "info", xyz)
    assert "nothing suspect" in info.out
    assert "not_checked" in info.out
    outcome = mechlearn("structures", "convert", xyz, xyz.parent / "set.parquet")
    assert outcome.err.splitlines() == [f"12 structures written to {xyz.parent / 'set.parquet'}"]


def test_info_as_json_is_one_object(mechlearn: Callable, xyz: Path, strained: StructureBatch) -> None:
    facts = json.loads(mechlearn("structures", "info", xyz, "--json").out)
    assert (facts["structures"], facts["atoms"], facts["elements"]) == (12, 24, ["W"])
    small = next(row for row in facts["groups"] if row["group"] == "small")
    assert (small["structures"], small["energies"], small["forces"], small["stresses"]) == (6, 6, 6, 6)
    assert small["lowest_energy"] == pytest.approx(strained.energies_per_atom[:6].min())


def test_convert_keeps_labels_and_groups(mechlearn: Callable, xyz: Path, strained: StructureBatch) -> None:
    out = xyz.parent / "set.parquet"
    assert mechlearn("structures", "convert", xyz, out).status == 0
    again = read_structures(out)
    assert again.groups == strained.groups
    np.testing.assert_allclose(again.energies, strained.energies, rtol=1e-12)
    np.testing.assert_allclose(again.forces, strained.forces, atol=1e-7)


def test_label_makes_a_set_and_goes_on_with_it(mechlearn: Callable, xyz: Path, strained: StructureBatch) -> None:
    out = xyz.parent / "labelled"
    words = ("structures", "label", xyz, "--with", "eam", "--out", out, "--workers", 1)
    assert mechlearn(*words).status == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert mechlearn(*words).status == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    np.testing.assert_allclose(read_structures(out).energies, strained.energies, atol=1e-6)


def test_label_refuses_a_folder_of_other_labels(mechlearn: Callable, xyz: Path) -> None:
    out = xyz.parent / "labelled"
    mechlearn("structures", "label", xyz, "--out", out, "--workers", 1)
    outcome = mechlearn("structures", "label", xyz, "--with", "snap", "--out", out, "--workers", 1)
    assert outcome.status == 2
    assert "potential is 'eam' there and 'snap' here" in outcome.complaint


def test_expert_sets_do_not_depend_on_the_parts_they_are_made_in(mechlearn: Callable, tmp_path: Path) -> None:
    words = ("structures", "generate", "--kind", "expert", "--count", 8, "--seed", 3, "--workers", 1)
    assert mechlearn(*words, "--out", tmp_path / "a").status == 0
    assert mechlearn(*words, "--out", tmp_path / "b").status == 0
    one, other = ((tmp_path / name / "part-000000.parquet").read_bytes() for name in "ab")
    assert one == other


def test_generated_sets_are_half_and_half(mechlearn: Callable, tmp_path: Path) -> None:
    out = tmp_path / "diverse"
    assert mechlearn("structures", "generate", "--count", 4, "--out", out, "--workers", 1).status == 0
    assert sorted(read_structures(out).groups) == ["entropy-maximised"] * 2 + ["entropy-minimised"] * 2


def test_an_element_without_a_crystal_on_record_takes_its_volume(mechlearn: Callable, tmp_path: Path) -> None:
    words = ("structures", "generate", "--element", "Ga", "--count", 1, "--out", tmp_path / "Ga", "--workers", 1)
    assert "give atomic_volume" in mechlearn(*words).complaint
    assert "give one above 0" in mechlearn(*words, "--atomic-volume", 0).complaint
    assert not (tmp_path / "Ga").exists()
    assert mechlearn(*words, "--atomic-volume", 19.6).status == 0
    batch = read_structures(tmp_path / "Ga")
    assert batch.elements == ("Ga",)
    assert 0.5 < batch.volumes[0] / batch.sizes[0] / 19.6 < 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--element", "Xx"], "building an expert set for 'Xx': this is no chemical symbol"),
        (["--element", "Si"], "its crystal is diamond, and the groups are those of bcc, fcc and hcp"),
        (["--element", "Tc"], "no EAM file that comes with LAMMPS knows Tc; give the path"),
        (["--element", "W", "--element", "Ta"], "it is of one element"),
        (["--atomic-volume", "16"], "--atomic-volume is for diverse sets"),
    ],
)
def test_what_no_expert_set_can_be_made_of_is_said_before_it_begins(
    mechlearn: Callable, tmp_path: Path, words: list[str], found: str
) -> None:
    outcome = mechlearn("structures", "generate", "--kind", "expert", "--count", 4, "--out", tmp_path / "set", *words)
    assert outcome.status == 2
    assert found in outcome.complaint
    assert not (tmp_path / "set").exists()


def test_compare_gives_the_breadth_of_a_set(mechlearn: Callable, xyz: Path) -> None:
    outcome = mechlearn("structures", "compare", xyz, xyz, "--twojmax", 2, "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out)["first"]["structures"] == 12


@pytest.mark.parametrize("command", ["info", "convert", "label", "compare"])
def test_a_missing_set_is_one_line(mechlearn: Callable, tmp_path: Path, command: str) -> None:
    rest = {
        "info": [],
        "convert": [tmp_path / "out.xyz"],
        "label": ["--out", tmp_path / "out", "--workers", 1],
        "compare": [tmp_path],
    }[command]
    outcome = mechlearn("structures", command, tmp_path / "absent", *rest)
    assert outcome.status == 2
    assert f"reading {tmp_path / 'absent'}: no such file or folder" in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_one_line(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn("structures", "info", tmp_path)
    assert outcome.status == 2
    assert str(tmp_path) in outcome.complaint


def test_a_wrong_option_leaves_the_folder_free(mechlearn: Callable, tmp_path: Path) -> None:
    words = (
        "structures",
        "generate",
        "--kind",
        "expert",
        "--count",
        8,
        "--workers",
        1,
        "--out",
        tmp_path / "out",
    )
    outcome = mechlearn(*words, "--dynamics", "eem")
    assert outcome.status == 2
    assert "did you mean 'eam'" in outcome.err.splitlines()[-1]
    assert mechlearn(*words).status == 0


def test_an_unknown_labeller_is_one_line(mechlearn: Callable, xyz: Path) -> None:
    outcome = mechlearn("structures", "label", xyz, "--with", "gpwa", "--out", xyz.parent / "out", "--workers", 1)
    assert outcome.status == 2
    assert "did you mean 'gpaw'" in outcome.complaint
