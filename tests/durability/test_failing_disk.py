"""Every write, flush and rename of a campaign is made to fail in turn: nothing is lost, and it can be gone on with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

from durability.campaign import GENERATED, LABELLED
from durability.conftest import contents
from durability.failing_disk import Failure, Stopped, failing_disk
from mechlearn.cli.main import run
from mechlearn.learning.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from mechlearn.learning.settings import Epoch
from mechlearn.records import write_atomically
from mechlearn.sampling import sets
from mechlearn.structures import StructureSet

FAILURES = [Failure.FULL, Failure.BROKEN, Failure.KILLED, Failure.POWER_CUT]
#: A full disk takes the ways of a broken one, and a power cut does all that a kill does and more.
LONG = [pytest.param(each, marks=pytest.mark.slow) if each in ("EIO", "killed") else each for each in FAILURES]


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], int]:
    """Generate five structures in parts of two, and label them; what is made again is not computed again."""
    generated = sets.generate_structures
    monkeypatch.setattr(sets, "STRUCTURES_PER_PART", 2)
    made = lru_cache(lambda first, last, seed: generated(sets.GenerationSettings(), range(first, last), seed))
    monkeypatch.setattr(sets, "generate_structures", lambda _, indices, seed: made(indices[0], indices[-1] + 1, seed))

    def commands(folder: Path) -> int:
        out = str(folder / GENERATED)
        return run(["structures", "generate", "--count", "5", "--workers", "1", "--out", out]) or run(
            ["structures", "label", out, "--workers", "1", "--out", str(folder / LABELLED)]
        )

    return commands


@pytest.mark.parametrize("failure", LONG)
def test_whatever_fails_the_same_command_goes_on(
    campaign: Callable[[Path], int], failure: Failure, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with failing_disk(tmp_path) as sound:
        assert campaign(tmp_path / "undisturbed") == 0
    expected = contents(tmp_path / "undisturbed")
    assert len(expected) == 6
    assert len(sound.operations) > 40
    for number in range(1, len(sound.operations) + 1):
        folder = tmp_path / str(number)
        capfd.readouterr()
        with failing_disk(tmp_path, failure, fail_at=number) as disk:
            try:
                status: int | None = campaign(folder)
            except Stopped:
                status = None
        assert disk.operations[:number] == sound.operations[:number]
        assert contents(folder).items() <= expected.items()
        if failure in (Failure.KILLED, Failure.POWER_CUT):
            assert status is None
        elif sound.operations[number - 1] == "link":
            # Where a file system has no links, a rename does as well.
            assert status == 0
        else:
            complaints = [line for line in capfd.readouterr().err.splitlines() if "mechlearn: " in line]
            assert status == 1
            assert len(complaints) == 1
            assert ("space" if failure is Failure.FULL else "error") in complaints[0], complaints
        assert campaign(folder) == 0
        assert contents(folder) == expected


@pytest.mark.parametrize("failure", FAILURES)
def test_a_checkpoint_is_the_old_or_the_new_one(failure: Failure, tmp_path: Path) -> None:
    def save(epochs: int) -> Path:
        weights = {"weight": torch.full((300, 30), float(epochs))}
        history = tuple(Epoch(number + 1, 0.5, 0.5, 1e-3) for number in range(epochs))
        return save_checkpoint(
            tmp_path / "run", TrainingState(weights, weights, {}, 1e-3, 0.5, 0, history), {"seed": 1}
        )

    with failing_disk(tmp_path) as sound:
        save(1)
    for number in range(1, len(sound.operations) + 1):
        old = len(load_checkpoint(tmp_path / "run", {"seed": 1}).epochs)
        with failing_disk(tmp_path, failure, number), pytest.raises((Stopped, Exception)):
            save(old + 1)
        found = load_checkpoint(tmp_path / "run", {"seed": 1})
        assert len(found.epochs) in (old, old + 1)
        assert np.all(found.weights["weight"].numpy() == len(found.epochs))
        save(old + 1)


def test_the_disk_of_these_tests_does_lose_what_is_not_flushed(tmp_path: Path) -> None:
    """The power cut would show a writer that forgets to flush."""
    path = tmp_path / "file"
    write_atomically(path, bytes(100))

    def careless() -> None:
        with (tmp_path / "new").open("wb") as stream:
            stream.write(bytes(range(200)))
        (tmp_path / "new").replace(path)
        (tmp_path / "another").open("wb")

    with failing_disk(tmp_path, Failure.POWER_CUT, fail_at=4), pytest.raises(Stopped):
        careless()
    assert path.read_bytes() == bytes(100)
    assert not (tmp_path / "new").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB; where none can be mounted the test says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = partial(subprocess.run, capture_output=True, text=True, check=False)
    mounted = mount(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)])
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_done(
    campaign: Callable[[Path], int], small_disk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The disk fills, a little later each time: one line and status 1, until the campaign fits and ends as ever."""
    assert campaign(tmp_path / "undisturbed") == 0
    expected = contents(tmp_path / "undisturbed")
    ballast = small_disk / "ballast"
    failed = 0
    for size in range(190_000, 0, -4_000):
        ballast.write_bytes(bytes(size))
        capfd.readouterr()
        status = campaign(small_disk)
        found = contents(small_disk)
        assert found.items() <= expected.items()
        assert sum(len(StructureSet(small_disk / name).load()) for name in (GENERATED, LABELLED)) <= 10
        if status == 0:
            break
        complaint = capfd.readouterr().err.splitlines()[-1]
        assert status == 1
        assert complaint.startswith("mechlearn: ")
        assert "full" in complaint.lower() or "space" in complaint
        failed += 1
    assert failed > 3
    assert found == expected
