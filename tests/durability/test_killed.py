"""SIGKILL at random moments, over and over: nothing is lost, nothing is done twice, a reader sees whole parts only."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from durability.campaign import GENERATED, LABELLED, LOG, PARTS
from durability.conftest import Undisturbed, command, contents
from mechlearn.structures import StructureSet


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_campaigns_end_in_the_same_bytes(undisturbed: Undisturbed, tmp_path: Path, kills: int) -> None:
    """Campaigns are killed until they are done all the same, and begun anew until there were ``kills``."""
    moments = random.Random(kills)
    done = 0
    for number in range(kills + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        with reader(folder, undisturbed):
            done += _kill_until_done(folder, undisturbed, moments, kills - done)
        assert contents(folder) == undisturbed.parts
        if done == kills:
            break
    assert done == kills


def _kill_until_done(folder: Path, undisturbed: Undisturbed, moments: random.Random, most: int) -> int:
    """Start the campaign and kill it, at most so many times, until it ends by itself; how many kills that took."""
    kills = in_flight = 0
    while True:
        workers = moments.choice([1, 1, 2])
        on_disk, computed = _on_disk(folder), _computed(folder)
        parts = moments.choice([0, 1, 1, 2, 2, 3, PARTS]) if kills < most else None
        finished = _run(folder, workers, parts, moments.uniform(0, 1.5) * undisturbed.seconds_a_part)
        again = set(_computed(folder)[len(computed) :]) & on_disk.keys()
        assert not again, f"computed though they were on disk: {again}"
        assert on_disk.items() <= _on_disk(folder).items(), "a part was written a second time"
        if finished:
            assert len(_computed(folder)) - 2 * PARTS <= in_flight, "more was lost than what was being computed"
            return kills
        kills += 1
        in_flight += workers


def _run(folder: Path, workers: int, parts: int | None, delay: float) -> bool:
    """Run the campaign; ``delay`` seconds after it began so many parts, kill its processes; whether it had ended."""
    before = len(_computed(folder))
    with (folder / "complaint").open("wb+") as complaint:
        process = subprocess.Popen(
            command(folder, "--workers", workers), stdout=complaint, stderr=complaint, start_new_session=True
        )
        while parts is not None and process.poll() is None and len(_computed(folder)) - before < parts:
            time.sleep(0.005)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=None if parts is None else delay)
        ended = process.poll() is not None
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert not ended or process.returncode == 0, (folder / "complaint").read_text()
    return ended


def _on_disk(folder: Path) -> dict[str, tuple[int, int]]:
    """The parts that are there, as the log names them, with their inodes and times of writing."""
    parts = [part for name in (GENERATED, LABELLED) for part in (folder / name).glob("part-*")]
    return {
        f"{part.parent.name} {int(part.stem.removeprefix('part-'))}": (part.stat().st_ino, part.stat().st_mtime_ns)
        for part in parts
    }


def _computed(folder: Path) -> list[str]:
    """The parts that were begun to be computed, in order."""
    log = folder / LOG
    return log.read_text().splitlines() if log.exists() else []


@contextmanager
def reader(folder: Path, undisturbed: Undisturbed) -> Iterator[None]:
    """Read both sets all the while: every structure that is seen is that of the undisturbed campaign."""
    known = {
        name: {each.names[0]: each for each in StructureSet.open(undisturbed.folder / name).batches(1)}
        for name in (GENERATED, LABELLED)
    }
    over = threading.Event()
    broken: list[str] = []

    def read() -> None:
        while not over.is_set():
            for name, expected in known.items():
                try:
                    for batch in StructureSet(folder / name).batches(3):
                        for index, structure in enumerate(batch.names):
                            same = batch.select([index]).positions.tobytes() == expected[structure].positions.tobytes()
                            broken.extend([] if same else [f"{name}: {structure} differs"])
                except Exception as error:
                    broken.append(f"{name}: {type(error).__name__}: {error}")
            time.sleep(0.05)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert broken == []
