"""Campaigns run each task once, survive being stopped, and say what went wrong in one line."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from mechlearn.engines import SerialExecutor, executor, run_campaign
from mechlearn.errors import InputError, WorkError

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def tasks() -> Iterator[ModuleType]:
    """The tasks as a module that spawned processes can import."""
    sys.path.insert(0, str(HERE))
    yield importlib.import_module("campaign_tasks")
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def pool(tasks: ModuleType) -> Iterator[Executor]:
    with executor(workers=2) as opened:
        yield opened


def test_results_do_not_depend_on_the_executor(tasks: ModuleType, pool: Executor) -> None:
    serial = run_campaign(tasks.square, range(20), SerialExecutor(), label=None)
    assert serial == run_campaign(tasks.square, range(20), pool, label=None) == {i: i * i for i in range(20)}
    assert list(serial) == list(range(20))


@pytest.mark.parametrize("done", [{0, 2}, lambda index: index in (0, 2)])
def test_done_tasks_do_not_run_again(tasks: ModuleType, done: object) -> None:
    assert run_campaign(tasks.square, range(4), SerialExecutor(), done=done, label=None) == {1: 1, 3: 9}


def test_results_are_handed_on_as_they_come(tasks: ModuleType) -> None:
    events: list[str] = []

    def task(index: int) -> int:
        events.append(f"run {index}")
        return index

    run_campaign(task, range(2), SerialExecutor(), on_result=lambda i, _: events.append(f"take {i}"), label=None)
    assert events == ["run 0", "take 0", "run 1", "take 1"]


def test_no_more_tasks_are_in_flight_than_allowed(tasks: ModuleType) -> None:
    submitted, finished, most = 0, 0, 0

    class Watched(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal submitted, most
            submitted += 1
            most = max(most, submitted - finished)
            return super().submit(fn, *args, **kwargs)

    def count(index: int, _: int) -> None:
        nonlocal finished
        finished += 1

    with Watched(2) as watched:
        run_campaign(tasks.square, range(50), watched, on_result=count, label=None, in_flight=5)
    assert finished == 50
    assert most <= 5


@pytest.mark.parametrize("kind", ["serial", "pool"])
def test_a_failing_task_is_named(tasks: ModuleType, pool: Executor, kind: str) -> None:
    chosen = SerialExecutor() if kind == "serial" else pool
    with pytest.raises(WorkError, match=r"generating: task 3 failed with ValueError: three is not allowed; .*goes on"):
        run_campaign(tasks.fail_at_three, range(5), chosen, label="generating")


def test_a_users_error_stays_one(tasks: ModuleType, pool: Executor) -> None:
    with pytest.raises(InputError, match="labelling, task 0: reading something: it is not there"):
        run_campaign(tasks.refuse, [0], pool, label="labelling")


def test_a_killed_worker_is_a_work_error(tasks: ModuleType) -> None:
    with executor(workers=2) as doomed, pytest.raises(WorkError, match=r"worker process was killed.*goes on"):
        run_campaign(tasks.die, range(4), doomed, label="generating")


def test_progress_goes_to_standard_error_only(
    tasks: ModuleType, capfd: pytest.CaptureFixture[str], pool: Executor
) -> None:
    run_campaign(tasks.square, range(3), pool, done={0}, label="squaring")
    out, err = capfd.readouterr()
    assert out == ""
    assert "squaring" in err
    assert "3/3" in err


def test_workers_compute_with_one_thread(tasks: ModuleType, pool: Executor) -> None:
    assert run_campaign(tasks.threads, [0], pool, label=None) == {0: (1, "1")}


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {here!r})
from campaign_tasks import write_slowly
from mechlearn.engines import executor, run_campaign
if __name__ == "__main__":
    folder = Path({folder!r})
    with executor(workers=2) as pool:
        try:
            print(len(run_campaign(partial(write_slowly, {folder!r}), range(40), pool,
                                   done=lambda i: (folder / str(i)).exists(), label="writing")))
        except KeyboardInterrupt as stop:
            print(stop)
"""


def test_a_process_that_has_loaded_numba_becomes_a_worker_and_still_compiles() -> None:
    # A script that imports all it needs at its top does so in every worker too, before that is made one.
    script = (
        "import numba\n"
        "from mechlearn.engines.executors import use_one_thread\n"
        "use_one_thread()\n"
        "assert numba.njit(lambda number: number + 1)(1) == 2\n"
        "print(numba.get_num_threads())"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout == "1\n", ran.stderr


def _start(folder: Path) -> subprocess.Popen[str]:
    code = SCRIPT.format(here=str(HERE), folder=str(folder))
    script = folder.parent / "script.py"
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not any(path.suffix == "" for path in folder.iterdir()):
        assert time.monotonic() < deadline, "the campaign did not begin"
        time.sleep(0.02)
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "parts"
    path.mkdir()
    return path


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(folder: Path) -> None:
    process = _start(folder)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    written = sorted(path.name for path in folder.iterdir())
    assert process.returncode == 0, err
    assert f"stopped with {len(written)} of 40 done; the same command goes on" in out
    assert "Traceback" not in err
    assert 0 < len(written) < 40
    assert not list(folder.glob("*.tmp"))

    rest = subprocess.run(
        [sys.executable, str(folder.parent / "script.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(rest.stdout) == 40 - len(written)
    assert all((folder / str(index)).read_text() == f"{index} whole" for index in range(40))


def test_workers_end_with_a_killed_parent(folder: Path) -> None:
    process = _start(folder)
    process.kill()
    process.wait()
    time.sleep(1.0)
    before = sorted(folder.iterdir())
    time.sleep(1.0)
    assert sorted(folder.iterdir()) == before
    assert len(before) < 40


def test_too_few_workers() -> None:
    with pytest.raises(InputError, match="their number is 0; give 1 or more"), executor(workers=0):
        pass


def test_a_missing_dask_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(
            InputError,
            match=r"pip install 'mechlearn\[distributed\]' \(in a checkout: pip install '\.\[distributed\]'\)",
        ),
        executor(scheduler="tcp://x:1"),
    ):
        pass


dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra 'distributed'")


@dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_an_unreachable_scheduler_is_a_users_error(address: str) -> None:
    with pytest.raises(InputError, match="no answer"), executor(scheduler=address):
        pass


@dask
def test_a_cluster_gives_the_same_results() -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        executor(scheduler=cluster.scheduler_address) as pool,
    ):
        assert run_campaign(partial(pow, 2), range(5), pool, label=None) == {i: 2**i for i in range(5)}


def test_a_compiled_function_that_is_interrupted_stops_the_campaign() -> None:
    def task(_: int) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt, match=r"preparing: stopped with 0 of 3 done; the same command goes on"):
        run_campaign(task, range(3), SerialExecutor(), label="preparing")
