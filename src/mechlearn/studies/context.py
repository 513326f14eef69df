"""Where a running study stands: its folder, its seed, its workers, and what is done already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
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
    """

    out: Path
    seed: int
    workers: int
    scheduler: str | None
    fingerprint: str

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

    def executor(self) -> AbstractContextManager[Executor]:
        """An executor of the study's workers, or of its scheduler's."""
        from mechlearn.engines import executor

        return executor(self.workers, self.scheduler)

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
        path = self.data / "stages" / f"{name}.json"
        if path.exists() and all(left.exists() for left in leaves):
            kept = read_json(path)
            if kept.get("fingerprint") == self.fingerprint:
                self.log(f"{name}: done before")
                return dict(kept["result"])
        self.log(f"{name}: begins")
        result: dict[str, Any] = plain(function())
        write_json(path, {"fingerprint": self.fingerprint, "result": result})
        self.log(f"{name}: done")
        return result

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
