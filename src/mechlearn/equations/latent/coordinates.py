"""Coordinates in which many features obey a short law, and that law: an autoencoder with sparse regression inside.

found = discover_coordinates(x, [x_rate], CoordinateSettings(dimension=3), trajectories=numbers, seed=0)
print(found)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.equations.latent.coordinate_discovery import CoordinateDiscovery, CoordinateErrors, CoordinateMap
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings
from mechlearn.equations.latent.latent_law import latent_law
from mechlearn.equations.latent.principal_components import principal_components
from mechlearn.errors import InputError
from mechlearn.learning import Epoch, History

#: Consecutive parts that stand for trajectories where none are told.
_PARTS = 10


def discover_coordinates(
    data: Float[np.ndarray, "..."],
    derivatives: Sequence[Float[np.ndarray, "..."]],
    settings: CoordinateSettings,
    *,
    trajectories: Int[np.ndarray, "..."] | None = None,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> CoordinateDiscovery:
    """Find few coordinates z = φ(x), a way back x = ψ(z), and the law of z with the fewest terms.

    Autoencoder and law are trained together (Champion, Lusch, Kutz & Brunton 2019, PNAS 116, 22445), with three
    changes: the networks start from the data laid out flat by distances along their surface; before terms are dropped,
    z goes over to the affine coordinates in which the law is sparsest; the law that is told comes from a sparse
    regression on the latent trajectories, with intervals and probabilities.

    Parameters
    ----------
    data : (samples, features)
        x: images, sensors, fields.
    derivatives : one or two of (samples, features)
        ẋ, and ẍ for a law of the second order; exact or measured.
    settings
        Latent variables, candidates, networks.
    trajectories : (samples,)
        The number of each sample's trajectory; whole ones are held out and drawn again. Without it, ten consecutive
        parts of the samples.
    seed
        Of everything random.
    checkpoint
        A folder from which training goes on after an interrupt; the result is the same as without one.
    progress
        Called after every epoch of training.

    Raises
    ------
    InputError
        The arrays do not fit each other or the settings, or something is not finite; or the checkpoint is of
        another run.
    """
    _check(data, derivatives, settings, trajectories)
    from mechlearn.equations.latent.coordinate_training import train_autoencoder

    numbers = np.arange(len(data)) * _PARTS // len(data) if trajectories is None else np.asarray(trajectories)
    rng = np.random.default_rng([seed, 0])
    held = _held_out(numbers, settings.held_out, rng)
    everything = [data, *derivatives]
    components = principal_components(
        data[~held],
        [rate[~held] for rate in derivatives],
        lost_variance=settings.lost_variance,
        most=settings.components,
        rng=rng,
    )
    projected = np.stack(components.project(everything))
    trained = train_autoencoder(
        projected[:, ~held],
        projected[:, held],
        settings,
        seed=seed,
        checkpoint=checkpoint,
        fingerprint=hashlib.sha256(projected.tobytes()).hexdigest(),
        progress=progress,
    )
    change = CoordinateMap(components, trained.encoder, trained.decoder)
    latent = change.encode(everything)
    equations, fits = latent_law(
        [part[~held] for part in latent],
        settings.library,
        numbers[~held],
        least_error=_round_trip(change, list(projected[:, ~held])),
        rng=rng,
    )
    judged = [part[held] for part in everything]
    return CoordinateDiscovery(
        equations=equations,
        fits=fits,
        map=change,
        library=settings.library,
        latent=latent[0],
        errors=CoordinateErrors.of(change, equations, settings.library, judged),
        held_out=tuple(np.unique(numbers[held]).tolist()),
        history=History(trained.history),
    )


def _held_out(
    numbers: Int[np.ndarray, " samples"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, " samples"]:
    """Which samples belong to the trajectories that are kept from training."""
    names = np.unique(numbers)
    count = min(max(1, round(share * len(names))), len(names) - 2)
    return np.isin(numbers, rng.permutation(names)[:count])


def _round_trip(change: CoordinateMap, components: Sequence[Float[np.ndarray, "samples components"]]) -> float:
    """The relative error of y⁽ⁿ⁾ through encoder and decoder, with no law between."""
    rate, back = components[-1], change.decoder(change.encoder(components))[-1]
    return float(np.linalg.norm(back - rate) / np.linalg.norm(rate))


def _check(
    data: Float[np.ndarray, "..."],
    derivatives: Sequence[Float[np.ndarray, "..."]],
    settings: CoordinateSettings,
    trajectories: Int[np.ndarray, "..."] | None,
) -> None:
    doing = "finding coordinates"
    if len(derivatives) != settings.order:
        raise InputError(
            f"{doing}: {len(derivatives)} derivatives were given for a law of order {settings.order}; give "
            + ("the first" if settings.order == 1 else "the first and the second")
        )
    for name, array in zip(("data", "first derivatives", "second derivatives"), [data, *derivatives], strict=False):
        if array.ndim != 2 or array.shape != data.shape:
            raise InputError(
                f"{doing}: the {name} have the shape {array.shape}; give (samples, features), as all others"
            )
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            raise InputError(
                f"{doing}: the {name} are not finite in {len(bad)} places, first in sample {bad[0][0]}, feature "
                f"{bad[0][1]}; leave such samples out"
            )
    if settings.dimension > data.shape[1]:
        raise InputError(f"{doing}: {settings.dimension} latent variables for {data.shape[1]} features; give fewer")
    if trajectories is not None and np.shape(trajectories) != (len(data),):
        raise InputError(
            f"{doing}: trajectories have the shape {np.shape(trajectories)} for {len(data)} samples; give a number each"
        )
    groups = min(_PARTS, len(data)) if trajectories is None else len(np.unique(trajectories))
    if groups < 3 or len(data) < 10 * len(settings.library):
        raise InputError(
            f"{doing}: {len(data)} samples on {groups} trajectories; give 3 trajectories and "
            f"{10 * len(settings.library)} samples or more for {len(settings.library)} candidates"
        )
    if np.ptp(data, axis=0).max() == 0:
        raise InputError(f"{doing}: the data are the same in every sample; give samples that move")
