"""The training loop: it learns, halves the rate on a plateau, and goes on bit for bit after any kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mechlearn.errors import InputError, WorkError
from mechlearn.learning import Epoch, TrainingSettings
from mechlearn.learning.modules import perceptron_module
from mechlearn.learning.training import train

SETTINGS = TrainingSettings(epochs=30, learning_rate=0.02, patience=2, threshold=0.05, checkpoint_seconds=0.0)


def problem(seed: int = 0, dropout: float = 0.0) -> tuple[torch.nn.Module, list[torch.Tensor], list[torch.Tensor]]:
    """A sine to learn, by a module that draws random numbers while it trains where dropout is given."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(60, 1, generator=generator, dtype=torch.float64) * 4
    network = perceptron_module([1, 8, 1], generator)
    module = torch.nn.Sequential(*list(network)[:-1], torch.nn.Dropout(dropout), network[-1])
    return module, list(points[:50].split(10)), [points[50:]]


def loss(module: torch.nn.Module, points: torch.Tensor) -> torch.Tensor:
    return ((module(points) - torch.sin(points)) ** 2).mean()


def same(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    states = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in states)


class Stopped(BaseException):
    """A kill, as the loop sees it."""


def test_learns() -> None:
    module, batches, validation = problem()
    history = train(module, loss, batches, validation, replace(SETTINGS, epochs=300, patience=50), seed=0)
    assert history.best.validation < 1e-2
    assert len(history) == 300


def test_keeps_the_weights_of_the_best_epoch() -> None:
    module, batches, validation = problem()
    history = train(module, loss, batches, validation, replace(SETTINGS, learning_rate=0.3), seed=0)
    assert loss(module, validation[0]).item() == history.best.validation < history.validation[-1]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("epoch", [1, 7, 29])
def test_a_run_stopped_at_any_epoch_goes_on_bit_for_bit(epoch: int, dropout: float, tmp_path: Path) -> None:
    undisturbed, batches, validation = problem(dropout=dropout)
    expected = train(undisturbed, loss, batches, validation, SETTINGS, seed=3)

    def stop(done: Epoch) -> None:
        if done.number == epoch:
            raise Stopped

    first, *_ = problem(dropout=dropout)
    with pytest.raises(Stopped):
        train(first, loss, batches, validation, SETTINGS, seed=3, checkpoint=tmp_path / "c", progress=stop)
    # The weights it starts from do not matter: all is in the checkpoint.
    second, *_ = problem(seed=99, dropout=dropout)
    history = train(second, loss, batches, validation, SETTINGS, seed=3, checkpoint=tmp_path / "c")
    assert same(undisturbed, second)
    assert history == expected


def test_an_interrupt_within_an_epoch_leaves_the_last_whole_one(tmp_path: Path) -> None:
    undisturbed, batches, validation = problem()
    expected = train(undisturbed, loss, batches, validation, SETTINGS, seed=3)
    calls = 0

    def interrupted(module: torch.nn.Module, points: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 50:
            raise KeyboardInterrupt
        return loss(module, points)

    lazy = replace(SETTINGS, checkpoint_seconds=1e6)
    module, *_ = problem()
    with pytest.raises(KeyboardInterrupt):
        train(module, interrupted, batches, validation, lazy, seed=3, checkpoint=tmp_path / "c")
    assert train(module, loss, batches, validation, lazy, seed=3, checkpoint=tmp_path / "c") == expected
    assert same(undisturbed, module)


SCRIPT = """
import sys, time, torch
from pathlib import Path
from mechlearn.learning import TrainingSettings
from mechlearn.learning.modules import perceptron_module
from mechlearn.learning.training import train

def run(path, progress=None):
    points = torch.linspace(0, 4, 40, dtype=torch.float64)[:, None]
    module = perceptron_module([1, 8, 1], torch.Generator().manual_seed(0))
    settings = TrainingSettings(epochs=60, learning_rate=0.01, checkpoint_seconds=0.0)
    train(module, lambda m, x: ((m(x) - torch.sin(x)) ** 2).mean(), list(points.split(8)), [points], settings,
          seed=1, checkpoint=Path(path), progress=progress)

def tell(epoch):
    print(epoch.number, flush=True)
    time.sleep(0.03)  # time to be killed in

if __name__ == "__main__":
    run(sys.argv[1], tell)
"""


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_a_checkpoint_that_goes_on_bit_for_bit(kill: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "cut")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 15:
            break
    os.kill(process.pid, kill)
    process.stdout.close()
    assert process.wait() != 0
    here: dict[str, Any] = {"__name__": "here"}
    exec(SCRIPT, here)
    here["run"](tmp_path / "whole")
    here["run"](tmp_path / "cut")
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_finished_run_is_not_done_again(tmp_path: Path) -> None:
    module, batches, validation = problem()
    history = train(module, loss, batches, validation, SETTINGS, seed=0, checkpoint=tmp_path / "c")

    def forbidden(module: torch.nn.Module, points: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nothing is left to compute")

    again, *_ = problem(seed=7)
    assert train(again, forbidden, batches, validation, SETTINGS, seed=0, checkpoint=tmp_path / "c") == history
    assert same(module, again)


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    long, batches, validation = problem()
    train(long, loss, batches, validation, SETTINGS, seed=0)
    short, *_ = problem()
    train(short, loss, batches, validation, replace(SETTINGS, epochs=11), seed=0, checkpoint=tmp_path / "c")
    train(short, loss, batches, validation, SETTINGS, seed=0, checkpoint=tmp_path / "c")
    assert same(long, short)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 1}, "other seed"), ({"data": "b"}, "other data"), ({"learning_rate": 0.1}, "other settings")],
)
def test_a_checkpoint_of_another_run_is_refused(change: dict[str, object], named: str, tmp_path: Path) -> None:
    module, batches, validation = problem()
    train(module, loss, batches, validation, SETTINGS, seed=0, data="a", checkpoint=tmp_path / "c")
    settings = replace(SETTINGS, learning_rate=0.1) if "learning_rate" in change else SETTINGS
    with pytest.raises(InputError, match=f"is of another run .{named}.; remove it"):
        train(
            module,
            loss,
            batches,
            validation,
            settings,
            seed=int(change.get("seed", 0)),  # type: ignore[call-overload]
            data=str(change.get("data", "a")),
            checkpoint=tmp_path / "c",
        )


def test_fewer_epochs_than_a_checkpoint_holds_are_refused(tmp_path: Path) -> None:
    module, batches, validation = problem()
    train(module, loss, batches, validation, SETTINGS, seed=0, checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="holds 30 epochs, 5 were asked for"):
        train(module, loss, batches, validation, replace(SETTINGS, epochs=5), seed=0, checkpoint=tmp_path / "c")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    module, batches, validation = problem()
    path = tmp_path / "c"
    train(module, loss, batches, validation, SETTINGS, seed=0, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="cut short"):
        train(module, loss, batches, validation, SETTINGS, seed=0, checkpoint=path)


def test_the_rate_is_halved_after_patience_epochs_without_improvement() -> None:
    """Against torch's own scheduler, which the paper's protocol describes, on the same losses."""
    module, batches, _ = problem()
    losses = iter(np.random.default_rng(0).uniform(1, 2, size=200).tolist() + [0.5] * 100)
    seen = []

    def judged(module: torch.nn.Module, batch: object) -> torch.Tensor:
        if isinstance(batch, str):
            seen.append(next(losses))
            return torch.tensor(seen[-1], dtype=torch.float64)
        return sum(parameter.sum() for parameter in module.parameters()) * 0.0  # type: ignore[return-value]

    settings = TrainingSettings(epochs=300, learning_rate=1.0, patience=7, threshold=1e-2)
    history = train(module, judged, [batches[0]], ["validation"], settings, seed=0)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.5, patience=7, threshold=1e-2, threshold_mode="rel"
    )
    expected = []
    for value in seen:
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step(value)
    # torch leaves a rate alone once it would change by less than 1e-8
    np.testing.assert_allclose(history.learning_rates, expected, atol=1e-7)
    assert len(set(expected)) > 5


def test_training_ends_once_no_epoch_is_better(tmp_path: Path) -> None:
    module, batches, validation = problem()
    rate = replace(SETTINGS, learning_rate=0.3)
    whole = train(module, loss, batches, validation, rate, seed=0)
    losses = whole.validation
    ends = next(count for count in range(4, 30) if min(losses[: count - 3]) <= min(losses[count - 3 : count]))
    stopped, *_ = problem()
    early = replace(rate, stop_after=3)
    history = train(stopped, loss, batches, validation, early, seed=0, checkpoint=tmp_path / "c")
    assert history.epochs == whole.epochs[:ends]
    assert loss(stopped, validation[0]).item() == history.best.validation
    # Nor does it go on when it is called again.
    assert train(problem()[0], loss, batches, validation, early, seed=0, checkpoint=tmp_path / "c") == history


def test_a_loss_that_is_not_finite_says_what_to_try(tmp_path: Path) -> None:
    module, batches, validation = problem()
    with pytest.raises(
        WorkError, match=r"the loss became nan .* in epoch 1 .* smaller learning_rate, or gradient_clip"
    ):
        train(module, lambda m, x: loss(m, x) * float("nan"), batches, validation, SETTINGS, seed=0)


def test_nothing_to_train_on_is_refused() -> None:
    module, _, validation = problem()
    with pytest.raises(InputError, match="nothing to train on"):
        train(module, loss, [], validation, SETTINGS, seed=0)


def test_global_state_is_left_alone() -> None:
    torch.set_num_threads(2)
    before = torch.random.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1].tolist()  # noqa: NPY002
    module, batches, validation = problem(dropout=0.5)
    train(module, loss, batches, validation, replace(SETTINGS, epochs=2), seed=0)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), np.random.get_state()[1].tolist())  # noqa: NPY002


def test_clipped_gradients_bound_the_step() -> None:
    module, batches, validation = problem()
    history = train(module, loss, batches, validation, replace(SETTINGS, gradient_clip=0.01), seed=0)
    assert history.best.validation < history.validation[0]


def test_without_validation_the_training_loss_decides() -> None:
    module, batches, _ = problem()
    history = train(module, loss, batches, [], SETTINGS, seed=0)
    assert history.training == history.validation


def test_batches_count_by_their_weight() -> None:
    module = torch.nn.Linear(1, 1, dtype=torch.float64)
    with torch.no_grad():
        module.weight.zero_(), module.bias.zero_()
    validation = [torch.zeros(1, 1, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)]

    def squared(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return ((module(x) * 0 - x) ** 2).mean()

    settings = replace(SETTINGS, epochs=1)
    history = train(module, squared, validation[:1], validation, settings, seed=0, weight=len)
    assert history.validation == (0.75,)


def test_progress_hears_of_every_epoch_also_of_those_resumed(tmp_path: Path) -> None:
    module, batches, validation = problem()
    train(module, loss, batches, validation, replace(SETTINGS, epochs=4), seed=0, checkpoint=tmp_path / "c")
    heard: list[Epoch] = []
    history = train(
        module, loss, batches, validation, SETTINGS, seed=0, checkpoint=tmp_path / "c", progress=heard.append
    )
    assert heard == list(history.epochs)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("learning_rate", float("nan")),
        ("factor", 1.0),
        ("gradient_clip", -1.0),
        ("batch_size", 0),
        ("stop_after", 0),
    ],
)
def test_settings_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"training settings: {field} is {value}; give"):
        TrainingSettings(**{field: value})  # type: ignore[arg-type]


def test_checkpoints_are_written_while_training(tmp_path: Path) -> None:
    module, batches, validation = problem()
    path, sizes = tmp_path / "c", []

    def look(_: Epoch) -> None:
        sizes.append(path.exists())
        time.sleep(0.002)

    train(
        module,
        loss,
        batches,
        validation,
        replace(SETTINGS, checkpoint_seconds=0.001),
        seed=0,
        checkpoint=path,
        progress=look,
    )
    assert sizes[0] is False
    assert all(sizes[1:])
