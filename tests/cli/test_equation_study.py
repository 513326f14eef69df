"""``mechlearn study run equation_discovery --data``: what is no field is one line, status 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def _nothing(folder: Path) -> Path:
    return folder / "absent"


def _empty(folder: Path) -> Path:
    (folder / "notes.docx").write_text("no fields here")
    return folder


def _words(folder: Path) -> Path:
    (folder / "letter.csv").write_text("Dear all,\nno numbers\n")
    return folder / "letter.csv"


def _structure(folder: Path) -> Path:
    (folder / "set.xyz").write_text("1\n\nW 0 0 0\n")
    return folder / "set.xyz"


def _truncated(folder: Path) -> Path:
    np.savez(folder / "half.npz", u=np.ones((9, 9)), x=np.arange(9.0), t=np.arange(9.0))
    (folder / "half.npz").write_bytes((folder / "half.npz").read_bytes()[:100])
    return folder


def _uneven(folder: Path) -> Path:
    x, t = np.linspace(0, 1, 30) ** 2, np.linspace(0, 1, 31)
    np.savez(folder / "uneven.npz", u=np.outer(x, t), x=x, t=t)
    return folder


def _twins(folder: Path) -> Path:
    for ending in ("csv", "npz"):
        (folder / f"wave.{ending}").write_text("")
    return folder


BAD = {
    "nothing there": (_nothing, ["absent", "no such file or folder"]),
    "a folder without fields": (_empty, ["no file that ends in", ".csv"]),
    "words": (_words, ["letter.csv"]),
    "a file of another kind": (_structure, ["set.xyz", ".csv"]),
    "half a file": (_truncated, ["half.npz"]),
    "a grid that is not uniform": (_uneven, ["uneven.npz", "grid along x is not uniform"]),
    "two files of one name": (_twins, ["wave.csv and wave.npz", "rename one"]),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_field_is_one_line(mechlearn: Callable, tmp_path: Path, case: str) -> None:
    make, words = BAD[case]
    given = tmp_path / "given"
    given.mkdir()
    outcome = mechlearn("study", "run", "equation_discovery", "--data", make(given), "--out", tmp_path / "out")
    assert outcome.status == 2
    for word in words:
        assert word in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_a_study_without_fields_has_no_such_option(mechlearn: Callable, tmp_path: Path) -> None:
    outcome = mechlearn("study", "run", "transferability", "--data", tmp_path, "--out", tmp_path / "out")
    assert outcome.status == 2
    assert "it has no option --data" in outcome.complaint
