"""Part four of the study of equations: coordinates found together with the equations they obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from mechlearn.equations.examples.example_coordinates import coordinate_example
from mechlearn.equations.examples.example_images import Measurements
from mechlearn.equations.latent.coordinate_discovery import CoordinateDiscovery
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings
from mechlearn.equations.latent.coordinates import discover_coordinates
from mechlearn.equations.latent.latent_law import law_matrix, simulate_law
from mechlearn.errors import WorkError

#: What a reader calls each system, and what is known of its law.
SYSTEMS: Final[Mapping[str, tuple[str, str]]] = {
    "pendulum": (
        "images of a pendulum",
        "The pendulum's own law is θ̈ = −sin θ, one term; in θ measured otherwise it is another function.",
    ),
    "lorenz": (
        "Lorenz's system seen through six modes",
        "Lorenz's own law has 7 terms; other scales and mixtures of its variables can have as few, or more.",
    ),
    "reaction-diffusion": (
        "images of a turning spiral",
        "The spiral turns steadily: two coordinates on a circle, each the rate of the other, make 2 terms.",
    ),
}


def look_for_coordinates(
    system: str, size: Literal["quick", "laptop"], seed: int, models: str, share: float = 1.0
) -> dict[str, Any]:
    """Find the coordinates of one system and their equations.

    Parameters
    ----------
    system, size, seed
        What is looked at.
    models
        The folder in which the networks are kept; none where empty.
    share
        Of the epochs, where only the time that they take is of interest.
    """
    title, expected = SYSTEMS[system]
    example = coordinate_example(system.replace("-", "_"), size, seed=seed)
    measured = example.measurements
    found = discover_coordinates(
        measured.data,
        measured.derivatives,
        shortened(example.settings, share),
        trajectories=measured.trajectories,
        seed=seed,
        checkpoint=Path(models) / f"{system}-checkpoint" if models else None,
    )
    if models:
        found.save(Path(models) / f"{system}.safetensors")
    held = np.isin(measured.trajectories, found.held_out)
    horizons = found.horizons(
        [measured.data[held], *(rate[held] for rate in measured.derivatives)],
        measured.trajectories[held],
        measured.times[held],
    )
    return {
        "system": system,
        "title": title,
        "expected": expected,
        "samples": len(measured.data),
        "features": measured.data.shape[1],
        "variables": [f"z{number + 1}" for number in range(found.library.dimension)],
        **found.to_dict(),
        "horizon_median": float(np.median(list(horizons.values()))),
        "duration": float(np.ptp(measured.times[measured.trajectories == found.held_out[0]])),
        "picture": _picture(found, measured),
    }


def shortened(settings: CoordinateSettings, share: float) -> CoordinateSettings:
    """The same with a share of the epochs of every stage."""

    def fewer(epochs: int) -> int:
        return max(1, round(share * epochs))

    return replace(
        settings,
        start_epochs=fewer(settings.start_epochs),
        training=replace(settings.training, epochs=fewer(settings.training.epochs)),
        threshold_epochs=fewer(settings.threshold_epochs),
        refinement_epochs=fewer(settings.refinement_epochs),
    )


def _picture(found: CoordinateDiscovery, measured: Measurements) -> dict[str, Any]:
    """A trajectory that was held out, encoded, and the law followed from its start."""
    rows = np.flatnonzero(measured.trajectories == found.held_out[0])
    times = measured.times[rows]
    rates = [measured.data[rows], *(rate[rows] for rate in measured.derivatives)]
    latent = found.map.encode(rates[: found.library.order])
    matrix = law_matrix(found.equations, found.library)
    try:
        simulated = simulate_law(matrix, found.library, [part[0] for part in latent], times)
    except WorkError:
        simulated = np.full_like(latent[0], np.nan)
    names = [f"z{number + 1}" for number in range(found.library.dimension)]
    return {
        "times": times,
        "measured": dict(zip(names, latent[0].T, strict=True)),
        "simulated": dict(zip(names, simulated.T, strict=True)),
    }
