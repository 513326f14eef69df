"""What a study will cost, stage by stage, from a timed sample of its work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from mechlearn.evaluation.tables import text_table

_HOUR = 3600.0
#: Of work that is timed: ten ticks of the clock.
_LEAST_SECONDS: Final = 0.1


@dataclass(frozen=True)
class StagePlan:
    """One stage: how many tasks it has, and what they take.

    Attributes
    ----------
    name : str
        The stage.
    tasks : int
        How many independent pieces it falls into, each the work of one core.
    core_seconds : float
        What all of them take on one core.
    longest_seconds : float
        What the longest takes; no number of workers makes the stage shorter than that.
    bytes : float
        What it leaves on disk.
    sample : str
        What was timed to know it.
    """

    name: str
    tasks: int
    core_seconds: float
    longest_seconds: float
    bytes: float
    sample: str

    def wall_seconds(self, workers: int) -> float:
        """The time until the last task is done.

        Examples
        --------
        >>> StagePlan("fits", 8, 80.0, 30.0, 0.0, "").wall_seconds(2)
        40.0
        >>> StagePlan("fits", 8, 80.0, 30.0, 0.0, "").wall_seconds(100)
        30.0
        """
        return max(self.core_seconds / max(1, min(workers, self.tasks)), self.longest_seconds)


@dataclass(frozen=True)
class Plan:
    """All stages of a study, one after the other.

    Attributes
    ----------
    stages : tuple of StagePlan
        In the order they run in.
    workers : int
        How many tasks run side by side.
    sampled_seconds : float
        How long the sample took.
    """

    stages: tuple[StagePlan, ...]
    workers: int
    sampled_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The table in JSON's types, and its totals."""
        rows: list[dict[str, Any]] = [
            {
                "stage": stage.name,
                "tasks": stage.tasks,
                "core_hours": stage.core_seconds / _HOUR,
                "gigabytes": stage.bytes / 1e9,
                "wall_hours": stage.wall_seconds(self.workers) / _HOUR,
                "sample": stage.sample,
            }
            for stage in self.stages
        ]
        totals = {name: sum(row[name] for row in rows) for name in ("tasks", "core_hours", "gigabytes", "wall_hours")}
        return {"workers": self.workers, "sampled_seconds": self.sampled_seconds, "stages": rows, **totals}

    def __str__(self) -> str:
        found = self.to_dict()
        header = ["stage", "tasks", "core-hours", "GB", f"hours with {self.workers} workers", "from"]
        rows = [_row(row["stage"], row, row["sample"]) for row in found["stages"]]
        total = _row("all", found, f"a sample of {self.sampled_seconds:.0f} s on this machine")
        return text_table(header, [*rows, total])


def _row(name: str, figures: dict[str, Any], sample: str) -> Sequence[str]:
    hours = [f"{figures[key]:.3g}" for key in ("core_hours", "gigabytes", "wall_hours")]
    return [name, f"{figures['tasks']:,}", *hours, sample]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, as a worker does."""
    from threadpoolctl import threadpool_limits

    before = os.environ.get("MECHLEARN_THREADS")
    os.environ["MECHLEARN_THREADS"] = "1"
    try:
        with threadpool_limits(1):
            yield
    finally:
        if before is None:
            del os.environ["MECHLEARN_THREADS"]
        else:
            os.environ["MECHLEARN_THREADS"] = before


def seconds(work: Callable[[], object]) -> float:
    """How long it keeps a core busy, whatever else the machine does; processes that it started and ended count too.

    The clock ticks in hundredths of a second: what is quicker is done again, until it can be told.
    """
    start, times = core_seconds(), 0
    while True:
        work()
        times += 1
        if (busy := core_seconds() - start) >= _LEAST_SECONDS:
            return busy / times


def core_seconds() -> float:
    """What this process and those that it started and ended have taken of all cores."""
    return sum(os.times()[:4])
