"""A Dask scheduler and its workers on loopback, started by the commands that a user would type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DASK = [sys.executable, "-m", "dask"]


@dataclass(frozen=True)
class Cluster:
    """A running scheduler with workers."""

    address: str
    scheduler: subprocess.Popen[bytes]

    def workers(self, count: int) -> list[int]:
        """The process numbers of the workers, once there are so many."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
            return list(client.run(os.getpid).values())


@contextmanager
def cluster(folder: Path, workers: int = 4, *, small_parts: bool = True) -> Iterator[Cluster]:
    """Start a scheduler and workers, which make the small parts of the tests' campaign; all end on leaving."""
    file = folder / "scheduler.json"
    tasks = [str(HERE.parent / "engines"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(tasks),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }
    common = ["--host", "127.0.0.1", "--scheduler-file", str(file), "--no-dashboard"]
    preload = ["--preload", str(HERE / "campaign.py")] if small_parts else []
    commands = [
        [*DASK, "scheduler", *common, "--port", "0"],
        [*DASK, "worker", *common, "--nworkers", str(workers), "--nthreads", "1", *preload],
    ]
    with (folder / "cluster.log").open("wb") as log:
        running = [
            subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
            for command in commands
        ]
        try:
            yield Cluster(_address(file, running[0]), running[0])
        finally:
            for process in running:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert scheduler.poll() is None, (file.parent / "cluster.log").read_text()
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")
