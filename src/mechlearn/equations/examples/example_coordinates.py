"""Three systems measured through many features, and settings with which their coordinates are found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from mechlearn.equations.examples.example_images import Measurements, lorenz_modes, pendulum_images, spiral_images
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings, LossWeights
from mechlearn.errors import InputError
from mechlearn.learning import TrainingSettings

#: The systems, and how many terms Champion et al. (2019) find for each.
PUBLISHED_TERMS: Final = {"lorenz": 7, "reaction_diffusion": 2, "pendulum": 1}

_QUICK: Final = {
    "lorenz": CoordinateSettings(
        3,
        weights=LossWeights(rate=0.3, latent_rate=0.1, sparsity=0.0),
        training=TrainingSettings(
            epochs=200, batch_size=256, learning_rate=3e-3, patience=10, threshold=0.01, precision="single"
        ),
        threshold_epochs=100,
        refinement_epochs=120,
    ),
    "reaction_diffusion": CoordinateSettings(
        2,
        with_sine=True,
        widths=(64,),
        weights=LossWeights(rate=0.3, latent_rate=0.1, sparsity=0.0),
        training=TrainingSettings(
            epochs=200, batch_size=128, learning_rate=3e-3, patience=10, threshold=0.01, precision="single"
        ),
        threshold_epochs=100,
        refinement_epochs=120,
    ),
    # Few components: the finer detail of images, twice differentiated, takes networks hours to learn.
    "pendulum": CoordinateSettings(
        1,
        order=2,
        with_sine=True,
        weights=LossWeights(rate=0.1, latent_rate=0.1, sparsity=0.0),
        training=TrainingSettings(
            epochs=400, batch_size=256, learning_rate=1e-3, patience=20, threshold=0.01, precision="single"
        ),
        threshold_epochs=200,
        refinement_epochs=100,
        start_epochs=600,
        lost_variance=0.02,
    ),
}

#: Trajectories (or images of the spiral) and times of each.
_SIZES: Final = {
    "quick": {"lorenz": (40, 250), "reaction_diffusion": (1, 600), "pendulum": (20, 100)},
    "laptop": {"lorenz": (128, 250), "reaction_diffusion": (1, 4000), "pendulum": (50, 200)},
}


@dataclass(frozen=True, eq=False)
class CoordinateExample:
    """Measurements of a system and settings that suit them."""

    measurements: Measurements
    settings: CoordinateSettings


def coordinate_example(name: str, size: Literal["quick", "laptop"] = "quick", *, seed: int = 0) -> CoordinateExample:
    """Make the measurements of one of the three systems.

    Parameters
    ----------
    name : {"lorenz", "reaction_diffusion", "pendulum"}
        Lorenz's system through six modes on 128 points, a turning spiral on 100 × 100 points, a pendulum in 51 × 51
        pixels.
    size
        ``"quick"`` for a minute on a core, ``"laptop"`` for networks and epochs near those of the paper.
    seed
        Of the starts of trajectories.

    Raises
    ------
    InputError
        There is no such system or size.
    """
    if name not in _QUICK or size not in _SIZES:
        raise InputError(
            f"examples of coordinates: there is no {name} in the size {size}; known are {', '.join(_QUICK)} in the "
            f"sizes {' and '.join(_SIZES)}"
        )
    trajectories, times = _SIZES[size][name]
    settings = _QUICK[name]
    if size == "laptop":
        settings = _laptop(settings)
    if name == "lorenz":
        measurements = lorenz_modes(trajectories, times, seed=seed)
    elif name == "pendulum":
        measurements = pendulum_images(trajectories, times, seed=seed)
    else:
        measurements = spiral_images(times, seed=seed)
    return CoordinateExample(measurements, settings)


def _laptop(settings: CoordinateSettings) -> CoordinateSettings:
    """The paper's networks, and ten times the steps."""
    widths = {1: (128, 64, 32), 2: (256,), 3: (64, 32)}[settings.dimension]
    return replace(
        settings,
        widths=widths,
        training=replace(settings.training, epochs=3 * settings.training.epochs),
        threshold_epochs=3 * settings.threshold_epochs,
        refinement_epochs=3 * settings.refinement_epochs,
        start_epochs=2 * settings.start_epochs,
    )
