"""What a user can get wrong, fed through the command line: one line, status 2, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.structures import StructureBatch, write_structures

FITSNAP = {
    "Dataset": {
        "Data": [
            {
                "NumAtoms": 2,
                "Lattice": [[3.18, 0, 0], [0, 3.18, 0], [0, 0, 3.18]],
                "Energy": -17.8,
                "Stress": [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]],
                "AtomTypes": ["W", "W"],
                "Positions": [[0, 0, 0], [1.59, 1.59, 1.59]],
                "Forces": [[0, 0, 0], [0, 0, 0.1]],
            }
        ],
        "StressStyle": "bar",
        "EnergyStyle": "electronvolt",
    }
}


def _labelled() -> StructureBatch:
    batch = StructureBatch.from_atoms([bulk("W", a=a, cubic=True) for a in np.linspace(3.0, 3.4, 12)])
    return batch.with_labels(np.full(12, -17.0), np.zeros((24, 3)))


def _json(change: Callable[[dict], None]) -> str:
    content = json.loads(json.dumps(FITSNAP))
    change(content["Dataset"]["Data"][0])
    return "# one structure\n" + json.dumps(content)


def _truncated_json(folder: Path) -> Path:
    (folder / "half.json").write_text(_json(lambda entry: None)[:200])
    return folder / "half.json"


def _truncated_xyz(folder: Path) -> Path:
    whole = write_structures(_labelled(), folder / "half.xyz")
    whole.write_text(whole.read_text()[:-120])
    return whole


def _truncated_parquet(folder: Path) -> Path:
    write_structures(_labelled(), folder / "set.parquet")
    part = next((folder / "set.parquet").glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-50])
    return folder / "set.parquet"


def _changed(change: Callable[[dict], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "one.json").write_text(_json(change))
        return folder / "one.json"

    return make


BAD = {
    "truncated JSON": (_truncated_json, ["half.json"]),
    "truncated XYZ": (_truncated_xyz, ["half.xyz"]),
    "truncated Parquet": (_truncated_parquet, ["part-000000.parquet"]),
    "infinite force": (_changed(lambda entry: entry["Forces"][1].__setitem__(2, float("inf"))), ["one.json", "orce"]),
    "NaN force": (_changed(lambda entry: entry["Forces"][1].__setitem__(2, float("nan"))), ["one.json", "orce"]),
    "counts that differ": (_changed(lambda entry: entry["Forces"].pop()), ["one.json", "Forces", "2"]),
    "singular cell": (_changed(lambda entry: entry["Lattice"].__setitem__(2, [0, 0, 0])), ["one.json", "volume"]),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("command", ["info", "fit"])
def test_a_bad_file_is_one_line(mechlearn: Callable, tmp_path: Path, case: str, command: str) -> None:
    make, words = BAD[case]
    path = make(tmp_path)
    if command == "info":
        outcome = mechlearn("structures", "info", path)
    else:
        outcome = mechlearn("potential", "fit", path, "--out", tmp_path / "out")
    assert outcome.status == 2
    for word in words:
        assert word in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_a_cutoff_of_zero_is_one_line(mechlearn: Callable, tmp_path: Path) -> None:
    path = write_structures(_labelled(), tmp_path / "good.xyz")
    outcome = mechlearn("potential", "fit", path, "--cutoff", 0, "--out", tmp_path / "out")
    assert outcome.status == 2
    assert "the cutoff is 0.0 Å; give one above 0" in outcome.complaint
