"""What a training run is told, and what it tells: settings and history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from mechlearn.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """How to train: Adam, with the learning rate halved on a plateau of the validation loss.

    The defaults are those of Montes de Oca Zapiain et al. (2022), Methods, where the paper gives them: 800
    epochs, the rate halved "if the validation loss did not change by 1e-4 over 50 epochs". The paper does not
    say whether the change is absolute; here it is *relative* to the best loss so far, which is independent of
    units (and the default of the scheduler that the paper most likely used). Learning rate and batch size are
    in the paper's supplement; the ones here did well for A1 and B1 on a few hundred structures of tungsten
    (rates 1e-3 … 3e-2, batches of 8, 16, 32).

    Attributes
    ----------
    epochs
        Passes through the training batches.
    learning_rate
        Adam's first step size.
    batch_size
        Structures (or graphs) a minibatch; used by whoever makes the batches.
    patience
        Epochs without improvement before the rate is cut.
    threshold
        An epoch improves when its validation loss is below ``best·(1 - threshold)``.
    factor
        What the rate is multiplied by on a plateau.
    stop_after
        Training ends once so many epochs in a row have not had the lowest validation loss; None for never.
    gradient_clip
        Largest norm of a step's gradient; None for no limit.
    checkpoint_seconds
        Least time between two checkpoints, s; 0 writes one every epoch.
    threads
        Threads torch may use; the last bits of a result can depend on it.
    precision
        Of the weights while training: ``"double"``, or ``"single"``, faster for wider networks and good to
        about 1e-6 of the spread of the energies.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> TrainingSettings(epochs=100).patience
    50
    """

    epochs: int = 800
    learning_rate: float = 3e-3
    batch_size: int = 16
    patience: int = 50
    threshold: float = 1e-4
    factor: float = 0.5
    stop_after: int | None = None
    gradient_clip: float | None = None
    checkpoint_seconds: float = 20.0
    threads: int = 1
    precision: Literal["double", "single"] = "double"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"training settings: {name} is {getattr(self, name)}; give 1 or more")
        if self.precision not in ("double", "single"):
            raise InputError(f"training settings: precision is {self.precision!r}; give 'double' or 'single'")
        if self.stop_after is not None and self.stop_after < 1:
            raise InputError(f"training settings: stop_after is {self.stop_after}; give 1 or more, or None")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"training settings: learning_rate is {self.learning_rate}; give a positive number")
        if not 0 < self.factor < 1:
            raise InputError(f"training settings: factor is {self.factor}; give a number between 0 and 1")
        if not 0 <= self.threshold < 1:
            raise InputError(f"training settings: threshold is {self.threshold}; give a number from 0 to 1")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise InputError(f"training settings: gradient_clip is {self.gradient_clip}; give a positive number")
        if not self.checkpoint_seconds >= 0:
            raise InputError(f"training settings: checkpoint_seconds is {self.checkpoint_seconds}; give 0 or more")


@dataclass(frozen=True)
class Epoch:
    """One pass through the training batches.

    Attributes
    ----------
    number
        1 for the first.
    training, validation
        Mean loss over the batches as they were trained on, and over the validation batches after them.
    learning_rate
        The rate of this epoch.
    """

    number: int
    training: float
    validation: float
    learning_rate: float


@dataclass(frozen=True)
class History:
    """The epochs of a training run, in order.

    Examples
    --------
    >>> history = History((Epoch(1, 2.0, 1.5, 0.1), Epoch(2, 1.0, 1.7, 0.1)))
    >>> history.best.number, len(history)
    (1, 2)
    """

    epochs: Sequence[Epoch]

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def best(self) -> Epoch:
        """The epoch of the lowest validation loss (the first of equals), whose weights were kept."""
        return min(self.epochs, key=lambda epoch: epoch.validation)

    @property
    def training(self) -> tuple[float, ...]:
        """The training loss of every epoch."""
        return tuple(epoch.training for epoch in self.epochs)

    @property
    def validation(self) -> tuple[float, ...]:
        """The validation loss of every epoch."""
        return tuple(epoch.validation for epoch in self.epochs)

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """The learning rate of every epoch."""
        return tuple(epoch.learning_rate for epoch in self.epochs)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epochs)"
        best = self.best
        return f"History({len(self)} epochs, best validation loss {best.validation:.4g} at epoch {best.number})"
