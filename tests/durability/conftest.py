"""An undisturbed campaign, which disturbed ones are compared with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from durability.campaign import GENERATED, LABELLED

SCRIPT = Path(__file__).with_name("campaign.py")


def command(folder: Path, *options: object) -> list[str]:
    """The campaign in ``folder`` as a command."""
    return [sys.executable, str(SCRIPT), str(folder), *map(str, options)]


def contents(folder: Path) -> dict[str, bytes]:
    """The parts of both sets, by name."""
    return {
        f"{name}/{part.name}": part.read_bytes()
        for name in (GENERATED, LABELLED)
        for part in sorted((folder / name).glob("part-*"))
    }


@dataclass(frozen=True)
class Undisturbed:
    """A campaign that nothing happened to: its folder, what its parts hold, and how long one takes."""

    folder: Path
    parts: dict[str, bytes]
    seconds_a_part: float


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(command(folder, "--workers", 1), check=True, capture_output=True)
    written = sorted(part.stat().st_mtime for part in (folder / GENERATED).glob("part-*"))
    # The median, as the first part waits for compilation where nothing is cached.
    return Undisturbed(folder, contents(folder), float(np.median(np.diff(written))))
