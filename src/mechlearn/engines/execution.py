"""Many independent tasks on one core, on all cores or on a cluster, that can be stopped and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

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

from mechlearn.engines.executors import killed_worker_errors
from mechlearn.errors import MechlearnError, WorkError

Result = TypeVar("Result")

# Enough to keep a cluster busy; tasks are an index and a function, so that waiting ones weigh nothing.
_IN_FLIGHT = 1024


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
        A task failed, a local worker was killed, a task killed several of a cluster's, or its scheduler is gone.

    Examples
    --------
    >>> from mechlearn.engines import SerialExecutor
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
            if campaign.busy:
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

    @property
    def busy(self) -> bool:
        """Whether tasks are running or wait to."""
        return bool(self._running)

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
        except killed_worker_errors() as error:
            raise self._killed() from error
        self._running[future] = index
        future.add_done_callback(self._completed.put)

    def _take(self, future: Future[Result]) -> None:
        index = self._running.pop(future)
        try:
            result = future.result()
        except killed_worker_errors() as error:
            raise self._killed() from error
        except CancelledError as error:
            raise WorkError(
                f"{self._name}: the scheduler went away; what is done is kept: start a scheduler, and the same "
                "command goes on"
            ) from error
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
