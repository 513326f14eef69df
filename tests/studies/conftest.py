"""The browser, and one small run of the study that the tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from browser import browser
from mechlearn.studies import run_study
from mechlearn.studies.transferability import STUDY
from mechlearn.studies.transferability_config import TransferabilityConfig

__all__ = ["browser"]

TINY: dict[str, Any] = {
    "structures": 60,
    "models": [
        {"family": "linear", "twojmax": 4},
        {"family": "quadratic", "twojmax": 4, "forces": True},
        {"family": "A1", "twojmax": 4, "forces": False},
    ],
    "shown": ["quadratic", "A1"],
    "epochs": 6,
    "holdout_twojmax": 2,
    "nve_timesteps_fs": [2.0, 4.0],
    "nve_duration_ps": 0.1,
}


def tiny(**changes: Any) -> TransferabilityConfig:
    """The study on a scale of seconds."""
    return STUDY.configure("quick", options={**TINY, **changes})


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished tiny run."""
    out = tmp_path_factory.mktemp("study") / "out"
    run_study(STUDY, tiny(), out, workers=1)
    return out
