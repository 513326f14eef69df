"""The one training loop: Adam, the rate halved on a plateau, checkpoints to go on from bit for bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mechlearn.errors import InputError, WorkError
from mechlearn.learning.checkpoint import TrainingState, load_checkpoint, run_identity, save_checkpoint
from mechlearn.learning.settings import Epoch, History, TrainingSettings

Batch = TypeVar("Batch")


def train(
    module: torch.nn.Module,
    loss: Callable[[torch.nn.Module, Batch], torch.Tensor],
    batches: Sequence[Batch],
    validation: Sequence[Batch],
    settings: TrainingSettings | None = None,
    *,
    seed: int,
    checkpoint: Path | None = None,
    data: str = "",
    progress: Callable[[Epoch], None] | None = None,
    weight: Callable[[Batch], float] | None = None,
) -> History:
    """Train a module in place on minibatches, in a new order every epoch, and keep the best weights.

    One epoch takes Adam's step on loss(module, batch) for every batch, then computes the validation loss.
    When the latter has not fallen below best·(1 − threshold) for ``patience`` epochs, the rate is multiplied
    by ``factor``; when ``stop_after`` epochs have not had the lowest, training ends. At the end the module holds
    the weights of the epoch with the lowest validation loss.

    Everything random in epoch e (the order of the batches, and torch's own generator, for modules with
    dropout) is drawn from (seed, e) alone: a run that was killed and goes on from its checkpoint ends in the
    same bits as an undisturbed one, on the same machine with the same number of threads.

    Parameters
    ----------
    module
        Changed in place.
    loss
        The mean loss of a batch, a scalar that gradients flow through.
    batches, validation
        Any objects that ``loss`` understands; with no validation batches the training loss takes their place.
    seed
        Of the order of the batches.
    checkpoint
        A file to go on from, if it exists, and to write to; an interrupt (Ctrl-C) leaves the last whole epoch
        there.
    data
        A fingerprint of the data, so that a checkpoint of other data is refused.
    progress
        Called after every epoch, also for those that a checkpoint brought.
    weight
        What a batch counts in an epoch's mean loss (its number of structures, say); 1 if not given.

    Raises
    ------
    InputError
        There are no batches, or the checkpoint is of another run.
    WorkError
        The loss is no longer a finite number, or the checkpoint cannot be written.

    Notes
    -----
    Montes de Oca Zapiain et al. (2022), Methods, "Neural Network Models"; Kingma & Ba (2014) for Adam.

    Examples
    --------
    >>> points = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    >>> line = torch.nn.Linear(1, 1, dtype=torch.float64)
    >>> history = train(line, lambda module, x: ((module(x) - 2 * x) ** 2).mean(), [points], [],
    ...                 TrainingSettings(epochs=200, learning_rate=0.1), seed=0)
    >>> round(line.weight.item(), 3)
    2.0
    """
    settings = settings or TrainingSettings()
    if not batches:
        raise InputError("training: there is nothing to train on; give at least one batch")
    run = _Run(module, settings)
    identity = run_identity(module, settings, seed, data)
    if checkpoint is not None and checkpoint.exists():
        run.restore(load_checkpoint(checkpoint, identity))
        _check_not_longer(checkpoint, run.state, settings)
        for done in run.state.epochs if progress else ():
            progress(done)  # type: ignore[misc]
    with _threads(settings.threads):
        written = time.monotonic()
        try:
            for number in range(len(run.state.epochs) + 1, settings.epochs + 1):
                if run.has_stalled:
                    break
                with _seeded(seed, number) as rng:
                    order = rng.permutation(len(batches))
                    training = run.step([batches[index] for index in order], loss, weight)
                    judged = run.judge(validation, loss, weight) if validation else training
                run.finish(Epoch(number, training, judged, run.state.learning_rate))
                if progress is not None:
                    progress(run.state.epochs[-1])
                if checkpoint is not None and time.monotonic() - written >= settings.checkpoint_seconds:
                    save_checkpoint(checkpoint, run.state, identity)
                    written = time.monotonic()
        finally:
            # Also on Ctrl-C, in the middle of an epoch: the state is that of the last whole one.
            if checkpoint is not None:
                save_checkpoint(checkpoint, run.state, identity)
    module.load_state_dict(dict(run.state.best_weights))
    return History(run.state.epochs)


class _Run:
    """A module, its optimiser, and the state after the last whole epoch."""

    def __init__(self, module: torch.nn.Module, settings: TrainingSettings) -> None:
        self.module = module
        self.settings = settings
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, lr=settings.learning_rate, fused=True)
        weights = _copy(module.state_dict())
        self.state = TrainingState(weights, weights, {}, settings.learning_rate, None, 0, ())

    def restore(self, state: TrainingState) -> None:
        """Go on from a state."""
        self.module.load_state_dict(dict(state.weights))
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict(
            {
                "state": {index: _copy(moments) for index, moments in state.moments.items()},
                "param_groups": [{**group, "lr": state.learning_rate} for group in groups],
            }
        )
        self.state = state

    @property
    def has_stalled(self) -> bool:
        """Whether the lowest validation loss is ``stop_after`` epochs ago."""
        epochs, patience = self.state.epochs, self.settings.stop_after
        return patience is not None and bool(epochs) and len(epochs) - History(epochs).best.number >= patience

    def step(
        self,
        batches: Sequence[Batch],
        loss: Callable[[torch.nn.Module, Batch], torch.Tensor],
        weight: Callable[[Batch], float] | None,
    ) -> float:
        """One pass of Adam through the batches; the mean loss met on the way."""
        self.module.train()
        losses = []
        for batch in batches:
            self.optimiser.zero_grad(set_to_none=True)
            value = loss(self.module, batch)
            value.backward()  # type: ignore[no-untyped-call]
            if self.settings.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_clip)
            self.optimiser.step()
            losses.append(value.detach())
        return _mean(losses, batches, weight)

    def judge(
        self,
        batches: Sequence[Batch],
        loss: Callable[[torch.nn.Module, Batch], torch.Tensor],
        weight: Callable[[Batch], float] | None,
    ) -> float:
        """The mean loss over the validation batches.

        Gradients stay on, for a loss may hold derivatives of the module (forces); none reaches the weights.
        """
        self.module.eval()
        return _mean([loss(self.module, batch).detach() for batch in batches], batches, weight)

    def finish(self, epoch: Epoch) -> None:
        """Take an epoch's losses into the state: best weights, plateau, the next learning rate."""
        if not (isfinite(epoch.training) and isfinite(epoch.validation)):
            raise WorkError(
                f"training: the loss became {epoch.training} (validation {epoch.validation}) in epoch "
                f"{epoch.number} at a learning rate of {epoch.learning_rate:g}; try a smaller learning_rate, "
                "or gradient_clip = 1, and look for labels that are not finite"
            )
        old, settings = self.state, self.settings
        is_best = all(epoch.validation < other.validation for other in old.epochs)
        improved = old.plateau_best is None or epoch.validation < old.plateau_best * (1 - settings.threshold)
        stale = 0 if improved else old.plateau_epochs + 1
        rate = old.learning_rate
        if stale > settings.patience:
            rate, stale = rate * settings.factor, 0
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        weights = _copy(self.module.state_dict())
        self.state = TrainingState(
            weights=weights,
            best_weights=weights if is_best else old.best_weights,
            moments={index: _copy(moments) for index, moments in self.optimiser.state_dict()["state"].items()},
            learning_rate=rate,
            plateau_best=epoch.validation if improved else old.plateau_best,
            plateau_epochs=stale,
            epochs=(*old.epochs, epoch),
        )


def _check_not_longer(path: Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Refuse a checkpoint of more epochs than are asked for: its weights are not those of the shorter run."""
    if len(state.epochs) > settings.epochs:
        raise InputError(
            f"resuming training: {path} holds {len(state.epochs)} epochs, {settings.epochs} were asked for; "
            "ask for at least as many, or remove it to start again"
        )


def _mean(losses: list[torch.Tensor], batches: Sequence[Batch], weight: Callable[[Batch], float] | None) -> float:
    """The weighted mean of the batches' losses, with one transfer from the device."""
    values = torch.stack(losses).double().cpu().numpy()
    return float(np.average(values, weights=None if weight is None else [weight(batch) for batch in batches]))


def _copy(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@contextmanager
def _seeded(seed: int, epoch: int) -> Iterator[np.random.Generator]:
    """A generator for one epoch, torch's own seeded from it too, and put back afterwards."""
    rng = np.random.default_rng([seed, epoch])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        yield rng


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch and NumPy's linear algebra use this many threads, and put the numbers back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
