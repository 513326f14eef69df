"""A real scheduler and four workers on loopback: killed workers change nothing, a lost scheduler is one line."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from durability.campaign import GENERATED
from durability.cluster import Cluster, cluster
from durability.conftest import Undisturbed, command, contents
from mechlearn.engines import executor, run_campaign
from mechlearn.errors import WorkError
from mechlearn.studies import run_study
from mechlearn.studies.transferability import STUDY
from studies.conftest import tiny

pytestmark = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra 'distributed'")


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=4) as running:
        yield running


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "engines"))
    return importlib.import_module("campaign_tasks")


def _wait_for(condition: Path, pattern: str) -> None:
    deadline = time.monotonic() + 120
    while not list(condition.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} in {condition}"
        time.sleep(0.02)


def test_a_killed_worker_changes_nothing(four: Cluster, undisturbed: Undisturbed, tmp_path: Path) -> None:
    workers = four.workers(4)
    process = subprocess.Popen(
        command(tmp_path, "--scheduler", four.address), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    _wait_for(tmp_path / GENERATED, "part-*")
    os.kill(workers[0], signal.SIGKILL)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    assert contents(tmp_path) == undisturbed.parts
    assert "Traceback" not in complaint


def test_a_task_that_kills_its_workers_is_a_work_error(four: Cluster, tasks: object) -> None:
    with (
        executor(scheduler=four.address) as pool,
        pytest.raises(WorkError, match=r"worker process was killed.*goes on"),
    ):
        run_campaign(tasks.die, [0], pool, label="generating")  # type: ignore[attr-defined]


def test_a_lost_scheduler_is_one_line_and_another_goes_on(
    tasks: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    write = partial(tasks.write_slowly, str(parts))  # type: ignore[attr-defined]

    def lose(index: int, _: str) -> None:
        if index == 2:
            running.scheduler.kill()

    with (
        cluster(tmp_path, workers=1) as running,
        executor(scheduler=running.address) as pool,
        pytest.raises(WorkError, match="writing: the scheduler went away; what is done is kept"),
    ):
        run_campaign(write, range(8), pool, on_result=lose, label="writing")
    assert "Traceback" not in capfd.readouterr().err
    kept = sorted(int(path.name) for path in parts.iterdir() if not path.suffix)
    assert 3 <= len(kept) < 8
    with executor() as pool:
        assert len(run_campaign(write, range(8), pool, done=set(kept), label=None)) == 8 - len(kept)


@pytest.mark.slow
def test_a_study_on_a_cluster_that_loses_workers(tmp_path: Path) -> None:
    """Sets, fits and dynamics of a whole study, while a worker is killed every few seconds."""
    expected = run_study(STUDY, tiny(), tmp_path / "alone")
    with cluster(tmp_path, small_parts=False) as running:
        killer = subprocess.Popen([sys.executable, __file__, running.address])
        try:
            assert run_study(STUDY, tiny(), tmp_path / "cluster", scheduler=running.address) == expected
        finally:
            killer.kill()
            killer.wait()
    one, other = (tmp_path / name / "results.json" for name in ("alone", "cluster"))
    assert one.read_bytes() == other.read_bytes()


def _kill_workers(address: str) -> None:
    """Kill the first worker of a cluster now and then."""
    from distributed import Client

    with Client(address) as client:
        while True:
            time.sleep(6.0)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


if __name__ == "__main__":
    _kill_workers(sys.argv[1])
