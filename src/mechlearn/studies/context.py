"""Where a running study stands: its folder, its seed, its workers, and what is done already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mechlearn.records import plain, read_json, write_json

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy as np

Item = TypeVar("Item")

logger = logging.getLogger("mechlearn.study")


@dataclass(frozen=True)
class StudyContext:
    """What a study is handed besides its settings.

    Attributes
    ----------
    out : Path
        The folder of results.
    seed : int
        The study's seed; :meth:`rng` spawns from it.
    workers : int
        How many processes may work at once.
    scheduler : str or None
        The address of a Dask scheduler, to work on many machines.
    fingerprint : str
        The hash of the settings, under which finished stages are kept.
    pool : Executor or None
        The workers, where they are kept from stage to stage: starting a process takes seconds.
    """

    out: Path
    seed: int
    workers: int
    scheduler: str | None
    fingerprint: str
    pool: Executor | None = None

    @property
    def data(self) -> Path:
        """The folder of data sets and stages."""
        return self._folder("data")

    @property
    def models(self) -> Path:
        """The folder of potentials."""
        return self._folder("models")

    def rng(self, *index: int) -> np.random.Generator:
        """A random generator of its own for each index, the same for any number of workers.

        Examples
        --------
        >>> context = StudyContext(Path("out"), 7, 1, None, "")
        >>> context.rng(1, 2).random() == context.rng(1, 2).random() != context.rng(2, 1).random()
        True
        """
        import numpy as np

        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=index))

    def alone(self) -> StudyContext:
        """The same without its workers, as a task can be sent it."""
        return replace(self, pool=None)

    def executor(self) -> AbstractContextManager[Executor]:
        """An executor of the study's workers, or of its scheduler's."""
        from mechlearn.engines import executor

        return executor(self.workers, self.scheduler) if self.pool is None else nullcontext(self.pool)

    def log(self, message: str) -> None:
        """Say how the study goes: to ``run.log``, and to standard error from the command line."""
        logger.info(message)

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Go through ``items`` with a progress bar on standard error that shows what is left."""
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=label, total=total, console=Console(stderr=True), transient=True)

    def stage(
        self, name: str, function: Callable[[], Mapping[str, Any]], *, leaves: Sequence[Path] = ()
    ) -> dict[str, Any]:
        """Run ``function`` once; on the next run with the same settings hand back what it gave.

        The result passes through JSON in either case, so that a study sees the same values (lists for arrays,
        None for NaN) whether it was interrupted or not.

        Parameters
        ----------
        name : str
            The stage's own name; it is the name of its file under ``data/stages/``.
        function : callable
            Gives a small result; bulky ones belong in files.
        leaves : sequence of Path
            Files or folders that the stage leaves behind; it runs again where one is missing.

        Returns
        -------
        dict
            The result in JSON's types.
        """
        kept = self._kept(name) if all(left.exists() for left in leaves) else None
        if kept is not None:
            self.log(f"{name}: done before")
            return kept
        self.log(f"{name}: begins")
        result: dict[str, Any] = plain(function())
        self._keep(name, result)
        return result

    def stages(
        self, names: Sequence[str], task: Callable[[int], Mapping[str, Any]], label: str
    ) -> list[dict[str, Any]]:
        """Run many stages side by side on the study's workers, as a campaign; kept results are handed back.

        Parameters
        ----------
        names : sequence of str
            The name of each stage.
        task : callable
            ``task(i)`` gives the result of stage ``names[i]``; it can be sent to another process.
        label : str
            What the progress bar says.
        """
        from mechlearn.engines import run_campaign

        results = {index: kept for index, name in enumerate(names) if (kept := self._kept(name)) is not None}

        def keep(index: int, result: Mapping[str, Any]) -> None:
            results[index] = plain(result)
            self._keep(names[index], results[index])

        if len(results) < len(names):
            with self.executor() as pool:
                run_campaign(task, range(len(names)), pool, done=set(results), on_result=keep, label=label)
        return [results[index] for index in range(len(names))]

    def _kept(self, name: str) -> dict[str, Any] | None:
        """The result of a stage that was finished with these settings."""
        path = self._stage_file(name)
        kept = read_json(path) if path.exists() else {}
        return dict(kept["result"]) if kept.get("fingerprint") == self.fingerprint else None

    def _keep(self, name: str, result: Mapping[str, Any]) -> None:
        write_json(self._stage_file(name), {"fingerprint": self.fingerprint, "result": result})
        self.log(f"{name}: done")

    def _stage_file(self, name: str) -> Path:
        return self.data / "stages" / f"{name}.json"

    def _folder(self, name: str) -> Path:
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Write what the package logs to ``path`` as well, after what earlier runs wrote there."""
    package = logging.getLogger("mechlearn")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        handler.close()
