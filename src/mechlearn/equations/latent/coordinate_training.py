"""Training an autoencoder and its latent law in stages, each a run of the package's training loop (torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from mechlearn.equations.latent.autoencoder import Autoencoder, change_coordinates, fit_law, loss, start_loss
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings
from mechlearn.equations.latent.smooth_network import SmoothNetwork
from mechlearn.equations.latent.sparse_coordinates import sparsest_coordinates
from mechlearn.equations.latent.unfolding import unfold
from mechlearn.learning import Epoch
from mechlearn.learning.training import train

#: Inputs whose deviation is below this share of the largest one's are not enlarged further.
_LEAST_DEVIATION = 0.05

#: The data are laid out flat where as many principal components leave more than this share of the variance out.
_FLAT = 0.2

#: Landmarks a batch of the start.
_START_BATCH = 100

#: The refinement's parts, each with a step size smaller than the one before by the factor.
_PARTS, _SLOWER = 4, 1 / 3


@dataclass(frozen=True, eq=False)
class TrainedAutoencoder:
    """Networks between components and latent variables, and what was done.

    Attributes
    ----------
    encoder, decoder
        In NumPy.
    history
        The epochs of all stages, numbered through.
    """

    encoder: SmoothNetwork
    decoder: SmoothNetwork
    history: tuple[Epoch, ...]


def train_autoencoder(
    data: Float[np.ndarray, "derivatives samples components"],
    judged: Float[np.ndarray, "derivatives held_out components"],
    settings: CoordinateSettings,
    *,
    seed: int,
    checkpoint: Path | None,
    fingerprint: str,
    progress: Callable[[Epoch], None] | None,
) -> TrainedAutoencoder:
    """Start from the data laid out flat, search for coordinates with a sparse law, refine them with its terms fixed.

    Parameters
    ----------
    data, judged : (order + 1, samples, components)
        y and its rates, to train on and to judge by.
    settings
        Networks, law, stages.
    seed
        Of weights, batches and searches.
    checkpoint
        A folder with a file for every stage; what stands between two stages follows from the end of the first.
    fingerprint
        Of the data, so that checkpoints of other data are refused.
    progress
        Called after every epoch, numbered through all stages.
    """
    dtype = torch.float32 if settings.training.precision == "single" else torch.float64
    samples, validation = (torch.from_numpy(array).to(dtype) for array in (data, judged))
    generator = torch.Generator().manual_seed(seed)
    deviation = samples[0].std(0)
    gain = 1 / deviation.clamp(min=_LEAST_DEVIATION * float(deviation.max()))
    autoencoder = Autoencoder(gain, settings.widths, settings.library, generator).to(dtype)
    stages = _Stages(autoencoder, settings, seed, checkpoint, fingerprint, progress)
    squares = [float(part.double().square().sum(1).mean()) for part in samples]
    if settings.landmarks and not _is_flat(samples[0], settings.dimension):
        stages.start(samples, squares)
    shuffled = samples[:, torch.randperm(samples.shape[1], generator=generator)]
    batches = [batch.contiguous() for batch in torch.split(shuffled, settings.training.batch_size, 1)]
    searched = partial(loss, squares=squares, weights=settings.weights)
    total, often = settings.training.epochs, settings.threshold_epochs
    for begin in range(0, total, often):
        stages.choose_terms(samples, first=begin == 0)
        stages.train(searched, batches, [validation], min(often, total - begin))
    stages.choose_terms(samples)
    refined = partial(loss, squares=squares, weights=replace(settings.weights, sparsity=0.0))
    for part in range(_PARTS):
        epochs = (part + 1) * settings.refinement_epochs // _PARTS - part * settings.refinement_epochs // _PARTS
        stages.train(refined, batches, [validation], epochs, slower=_SLOWER**part)
    return TrainedAutoencoder(*autoencoder.networks(), tuple(stages.history))


@dataclass(eq=False)
class _Stages:
    """An autoencoder, and the stages that it has been through."""

    autoencoder: Autoencoder
    settings: CoordinateSettings
    seed: int
    checkpoint: Path | None
    fingerprint: str
    progress: Callable[[Epoch], None] | None
    number: int = 0
    history: list[Epoch] = field(default_factory=list)

    def start(self, samples: torch.Tensor, squares: Sequence[float]) -> None:
        """Teach the networks the places of landmarks that are laid out flat."""
        chosen, places = unfold(samples[0].double().numpy(), self.settings.dimension, self.settings.landmarks)
        order = np.random.default_rng([self.seed, 1]).permutation(len(chosen))
        targets = torch.from_numpy(places[order]).to(samples.dtype)
        landmarks = samples[:, torch.from_numpy(chosen[order])]
        batches = list(zip(torch.split(landmarks, _START_BATCH, 1), torch.split(targets, _START_BATCH), strict=True))
        lay_out = partial(start_loss, squares=squares, weights=self.settings.weights)
        self.train(lay_out, batches, [], self.settings.start_epochs)

    def choose_terms(self, samples: torch.Tensor, first: bool = False) -> None:
        """Go to the coordinates of the sparsest law, and keep its terms.

        At first every term up to ``first_degree`` is kept: coordinates whose law is simple are looked for before
        others, which higher terms would let pass.
        """
        library, settings = self.autoencoder.library, self.settings
        with torch.no_grad():
            latent = [part.double().numpy() for part in self.autoencoder.encode(list(samples))]
        found = sparsest_coordinates(latent, library, floor=settings.threshold, seed=self._seed())
        change_coordinates(self.autoencoder, torch.from_numpy(found.matrix), torch.from_numpy(found.offset))
        kept = found.shares != 0
        if first:
            kept[:] = (library.degrees <= settings.first_degree)[:, None]
        fit_law(self.autoencoder, samples, torch.from_numpy(kept.astype(float)))

    def train(
        self,
        loss: Callable[[Any, Any], torch.Tensor],
        batches: Sequence[Any],
        validation: Sequence[Any],
        epochs: int,
        slower: float = 1.0,
    ) -> None:
        """One stage, from its checkpoint if there is one."""
        if not epochs:
            return
        self.number += 1
        training, before = self.settings.training, len(self.history)

        def numbered(epoch: Epoch) -> Epoch:
            return replace(epoch, number=before + epoch.number)

        done = train(
            self.autoencoder,
            loss,
            batches,
            validation,
            replace(training, epochs=epochs, learning_rate=training.learning_rate * slower),
            seed=self._seed(),
            checkpoint=self.checkpoint and self.checkpoint / f"stage-{self.number:02d}.safetensors",
            data=f"{self.fingerprint}, stage {self.number}",
            progress=self.progress and (lambda epoch: self.progress(numbered(epoch))),  # type: ignore[misc]
        )
        self.history += map(numbered, done.epochs)

    def _seed(self) -> int:
        return int(np.random.SeedSequence([self.seed, self.number]).generate_state(1)[0])


def _is_flat(values: torch.Tensor, dimension: int) -> bool:
    """Whether the first components alone hold most of the variance; components are in the order of theirs."""
    variance = values.double().var(0)
    return float(variance[:dimension].sum() / variance.sum()) > 1 - _FLAT
