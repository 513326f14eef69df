"""Many independent tasks on one core, on all cores or on a cluster, that can be stopped and gone on with."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import active_children, connection, get_context, parent_process
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mechlearn.errors import InputError, MechlearnError, WorkError, installation

Result = TypeVar("Result")

_THREAD_VARIABLES = (
    "MECHLEARN_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)

# Enough to keep a cluster busy; tasks are an index and a function, so that waiting ones weigh nothing.
_IN_FLIGHT = 1024


# ---------------------------------------------------------------------- executors


class SerialExecutor(Executor):
    """An executor that runs each task at once, in this process: for one worker, and for debugging.

    Examples
    --------
    >>> with SerialExecutor() as serial:
    ...     serial.submit(pow, 2, 5).result()
    32
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Run the task now; its future is done when it comes back."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def executor(workers: int = 1, scheduler: str | None = None) -> Iterator[Executor]:
    """Open what runs tasks: this process, a pool of processes, or a Dask cluster.

    Worker processes are started afresh (*spawn*), compute with one thread each, leave Ctrl-C to the parent
    and end when it dies. On leaving, running tasks finish and waiting ones are dropped.

    Parameters
    ----------
    workers
        Number of processes; 1 runs everything in this one.
    scheduler
        Address of a Dask scheduler, such as ``"tcp://host:8786"``, whose workers are used instead. They
        should have one thread each (``dask worker --nthreads 1``).

    Raises
    ------
    InputError
        ``workers`` is below 1, Dask is not installed, or its scheduler does not answer.

    Examples
    --------
    >>> with executor(workers=1) as pool:
    ...     run_campaign(abs, [3, 1, 2], pool, label=None)
    {3: 3, 1: 1, 2: 2}
    """
    if workers < 1:
        raise InputError(f"starting workers: their number is {workers}; give 1 or more")
    if scheduler is not None:
        with _dask_executor(scheduler) as pool:
            yield pool
    elif workers == 1:
        yield SerialExecutor()
    else:
        with _process_pool(workers) as pool:
            yield pool


@contextmanager
def _process_pool(workers: int) -> Iterator[Executor]:
    """Local worker processes; leaving by Ctrl-C ends them at once."""
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare_worker)
    try:
        yield pool
    except KeyboardInterrupt:
        # A campaign has by now let its running tasks finish, unless it was told a second time.
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask_executor(address: str) -> Iterator[Executor]:
    """The executor of a Dask cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(f"using a scheduler: Dask is not installed; {installation('distributed')}") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"using the scheduler {address}: no answer ({error}); give the address that "
            "'dask scheduler' prints, such as tcp://host:8786"
        ) from error
    with client, client.get_executor(pure=False) as pool:
        yield pool


def _prepare_worker() -> None:
    """Make a fresh process a good worker: one thread, deaf to Ctrl-C, gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    # What the main module imported before this ran has read those variables already.
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    if (numba := sys.modules.get("numba")) is not None:
        numba.set_num_threads(1)


def _end_with_parent() -> None:
    """Wait for the parent to die, and die: a killed run must not leave workers that write beside the next."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


# ---------------------------------------------------------------------- campaigns


def run_campaign(
    task: Callable[[int], Result],
    indices: Iterable[int],
    executor: Executor,
    *,
    done: Callable[[int], bool] | Container[int] = (),
    on_result: Callable[[int, Result], None] | None = None,
    label: str | None = "working",
    in_flight: int = _IN_FLIGHT,
) -> dict[int, Result]:
    """Run a task for every index that is not done, and say on standard error what is left.

    A task has to give the same result whenever it runs, and to write its files atomically. Then the campaign
    may be stopped at any moment and called again: what is done is not done again.

    Parameters
    ----------
    task
        A function of the index; for other processes a function of a module, or a
        ``functools.partial`` of one.
    indices
        All the tasks of the campaign, done or not.
    executor
        Where they run.
    done
        Says of an index whether its task is done, as a function or as a set.
    on_result
        Called in this process with an index and its result as each task completes, in any order.
    label
        What the progress bar says; None shows none.
    in_flight
        The most tasks handed to the executor at a time.

    Returns
    -------
    dict
        The results of the tasks that ran this time, in the order of ``indices``.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, once the running tasks have finished; a second Ctrl-C does not wait for them.
    WorkError
        A task failed, or a worker was killed.

    Examples
    --------
    >>> run_campaign(abs, range(4), SerialExecutor(), done={0, 1}, label=None)
    {2: 2, 3: 3}
    """
    is_done = done if callable(done) else done.__contains__
    everything = list(indices)
    waiting = [index for index in everything if not is_done(index)]
    before = len(everything) - len(waiting)
    name = label or "running tasks"
    with _progress(shown=label is not None) as progress:
        bar = progress.add_task(name, total=len(everything), completed=before)
        campaign = _Campaign(task, executor, name, on_result, lambda: progress.advance(bar))
        try:
            campaign.run(waiting, in_flight)
        except KeyboardInterrupt:
            progress.console.print(f"{name}: stopping; running tasks finish first (Ctrl-C again drops them)")
            campaign.drain()
            raise KeyboardInterrupt(
                f"{name}: stopped with {before + len(campaign.results)} of {len(everything)} done; "
                "the same command goes on from there"
            ) from None
        except MechlearnError:
            campaign.drain()
            raise
    return {index: campaign.results[index] for index in waiting}


class _Campaign(Generic[Result]):
    """The tasks in flight, and the results that came back."""

    def __init__(
        self,
        task: Callable[[int], Result],
        executor: Executor,
        name: str,
        on_result: Callable[[int, Result], None] | None,
        on_progress: Callable[[], None],
    ) -> None:
        self.results: dict[int, Result] = {}
        self._task, self._executor, self._name = task, executor, name
        self._on_result, self._on_progress = on_result, on_progress
        self._running: dict[Future[Result], int] = {}
        self._completed: SimpleQueue[Future[Result]] = SimpleQueue()

    def run(self, indices: Iterable[int], in_flight: int) -> None:
        """Submit every index, never more than ``in_flight`` at a time, taking results as they come."""
        for index in indices:
            self._submit(index)
            while self._running and (len(self._running) >= in_flight or not self._completed.empty()):
                self._take(self._completed.get())
        while self._running:
            self._take(self._completed.get())

    def drain(self) -> None:
        """Drop what has not started and take the results of what has, whatever else went wrong."""
        started = [future for future in self._running if not future.cancel()]
        wait(started)
        for future in started:
            with suppress(MechlearnError):
                self._take(future)

    def _submit(self, index: int) -> None:
        try:
            future = self._executor.submit(self._task, index)
        except BrokenExecutor as error:
            raise self._killed() from error
        self._running[future] = index
        future.add_done_callback(self._completed.put)

    def _take(self, future: Future[Result]) -> None:
        index = self._running.pop(future)
        try:
            result = future.result()
        except BrokenExecutor as error:
            raise self._killed() from error
        except MechlearnError as error:
            raise type(error)(f"{self._name}, task {index}: {error}") from error
        except Exception as error:
            raise WorkError(
                f"{self._name}: task {index} failed with {type(error).__name__}: {error}; "
                "what is done is kept, the same command goes on"
            ) from error
        self.results[index] = result
        if self._on_result is not None:
            self._on_result(index, result)
        self._on_progress()

    def _killed(self) -> WorkError:
        return WorkError(
            f"{self._name}: a worker process was killed (out of memory? or a script whose work is not under "
            "if __name__ == '__main__':); what is done is kept, the same command goes on"
        )


# ---------------------------------------------------------------------- progress


class _RateColumn(ProgressColumn):
    """Tasks a second, or seconds a task where they are slow."""

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f}/s" if task.speed >= 1.0 else f"{1.0 / task.speed:.1f} s each")


def _progress(*, shown: bool) -> Progress:
    """A progress bar on standard error: what is done of all, how fast, and the time left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )
