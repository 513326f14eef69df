"""What a user can get wrong, fed through the command line: one line, status 2, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.structures import StructureBatch, StructureSet, write_structures

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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB; where none can be mounted the test says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_done(mechlearn: Callable, small_disk: Path, tmp_path: Path) -> None:
    """The set fills the disk: status 1, one line, and what is there can be read and gone on with."""
    path = write_structures(StructureBatch.concatenate([_labelled()] * 200), tmp_path / "many.xyz")
    words = ("structures", "label", path, "--with", "eam", "--workers", 1, "--out", small_disk / "set")
    (small_disk / "ballast").write_bytes(bytes(150_000))
    outcome = mechlearn(*words)
    assert outcome.status == 1
    last = outcome.err.splitlines()[-1]
    assert last.startswith("mechlearn: ")
    assert "full" in last or "space" in last
    kept = len(StructureSet.open(small_disk / "set")) if list((small_disk / "set").glob("part-*")) else 0
    assert kept < 2400
    (small_disk / "ballast").unlink()
    again = mechlearn(*words)
    assert again.status in (0, 1)  # 200 kB may or may not hold it all; what is there stays readable
    assert len(StructureSet.open(small_disk / "set")) >= kept


def test_killed_runs_go_on_to_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL at random moments: the set can be read each time, and ends as an undisturbed one."""
    random.seed(3)

    def command(out: Path) -> list[str]:
        script = "import sys; from mechlearn.cli.main import run; sys.exit(run())"
        words = ["structures", "generate", "--kind", "expert", "--count", "300", "--workers", "1"]
        return [sys.executable, "-c", script, *words, "--out", str(out)]

    once, killed = tmp_path / "once", tmp_path / "killed"
    start = time.monotonic()
    subprocess.run(command(once), check=True, capture_output=True)
    whole = time.monotonic() - start
    for _ in range(4):
        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.5, 1.0) * whole)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if list(killed.glob("part-*")):
            assert len(StructureSet.open(killed)) % 64 in (0, 300 % 64)
    subprocess.run(command(killed), check=True, capture_output=True)
    parts = sorted(path.name for path in once.glob("part-*"))
    assert len(parts) == 5
    assert parts == sorted(path.name for path in killed.glob("part-*"))
    assert all((once / name).read_bytes() == (killed / name).read_bytes() for name in parts)
