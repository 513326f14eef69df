"""Where tasks run: in this process, in a pool of local processes, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Any, TypeVar

from mechlearn.errors import InputError, installation, interrupt_behind

Result = TypeVar("Result")

_THREAD_VARIABLES = (
    "MECHLEARN_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

#: Numba reads this anew whenever it compiles, and refuses another number once its threads run.
_NUMBA_VARIABLE = "NUMBA_NUM_THREADS"


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
            if interrupt_behind(error) is not None:
                raise KeyboardInterrupt from error
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
        Address of a Dask scheduler, such as ``"tcp://host:8786"``, whose workers are used instead. They are
        told to compute with one thread a task and should run one task at a time (``dask worker --nthreads 1``).

    Raises
    ------
    InputError
        ``workers`` is below 1, Dask is not installed, or its scheduler does not answer.

    Examples
    --------
    >>> from mechlearn.engines import run_campaign
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


def killed_worker_errors() -> tuple[type[Exception], ...]:
    """What a task raises whose worker was killed: the local pool's error and, where Dask is at work, Dask's."""
    distributed = sys.modules.get("distributed")
    return (BrokenExecutor,) if distributed is None else (BrokenExecutor, distributed.KilledWorker)


# ---------------------------------------------------------------------- local processes


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


def _prepare_worker() -> None:
    """Make a fresh process a good worker: one thread, deaf to Ctrl-C, gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    use_one_thread()


def use_one_thread() -> None:
    """Compute with one thread in this process from now on."""
    for variable in (*_THREAD_VARIABLES, *(() if "numba" in sys.modules else (_NUMBA_VARIABLE,))):
        os.environ[variable] = "1"
    # What was imported before this ran has read those variables already.
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


# ---------------------------------------------------------------------- a cluster


@contextmanager
def _dask_executor(address: str) -> Iterator[Executor]:
    """The executor of a Dask cluster, whose present and future workers compute with one thread."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(f"using a scheduler: Dask is not installed; {installation('distributed')}") from error
    with _quiet("distributed", "distributed.client"):
        try:
            client = Client(address, timeout=10, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                f"using the scheduler {address}: no answer ({error}); give the address that "
                "'dask scheduler' prints, such as tcp://host:8786"
            ) from error
        with client:
            client.register_worker_callbacks(use_one_thread)
            with client.get_executor(pure=False) as pool:
                yield pool


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep a library from logging tracebacks of what our own errors say in one line."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
