"""Sets of structures on disk, made in parts: any number of workers, any number of interruptions, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from mechlearn.engines.execution import run_campaign
from mechlearn.engines.executors import executor
from mechlearn.errors import InputError
from mechlearn.records import differences, plain, read_json, write_json
from mechlearn.structures import StructureBatch, StructureSet

#: Where a set says how it was made.
RECIPE: Final = "recipe.json"

#: How many structures are made at a time, where nothing else is said.
STRUCTURES_PER_PART: Final = 64


@runtime_checkable
class Maker(Protocol):
    """Makes the structures of a set, given their indices; it can be sent to another process."""

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        """The structures at these indices."""
        ...


def make_set(
    maker: Maker,
    count: int,
    out: Path,
    recipe: Mapping[str, Any],
    *,
    structures_per_part: int = STRUCTURES_PER_PART,
    workers: int = 1,
    scheduler: str | None = None,
    pool: Executor | None = None,
    doing: str = "making structures",
) -> StructureSet:
    """Make a set on disk, part by part, going on where an earlier run stopped.

    Parameters
    ----------
    maker : Maker
        Gives the structures at given indices; asked twice, it gives the same.
    count : int
        How many structures there are to be.
    out : Path
        The folder of the set.
    recipe : mapping
        What the structures depend on; kept in ``recipe.json`` and compared when the folder is taken up again.
    structures_per_part : int
        How many are made and written at a time: what a kill can cost.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.
    pool : Executor, optional
        What runs the parts in their place.
    doing : str
        What the progress bar and the messages say.

    Raises
    ------
    InputError
        The folder holds a set of another recipe (the message says what differs), or other files.
    """
    parts = range(-(-count // structures_per_part))
    with claimed(out, {**recipe, "structures": count}, doing):
        target = StructureSet.create(out)
        if not all(target.has_part(part) for part in parts):
            # The folder in full: a worker on another machine works in another one.
            make = _Part(maker, count, structures_per_part, str(out.resolve()))
            with executor(workers, scheduler) if pool is None else nullcontext(pool) as opened:
                run_campaign(make, parts, opened, done=target.has_part, label=doing)
    return StructureSet.open(out)


@dataclass(frozen=True)
class _Part:
    """Make one part and put it in its place."""

    maker: Maker
    count: int
    structures_per_part: int
    out: str

    def __call__(self, part: int) -> int:
        first = part * self.structures_per_part
        indices = range(first, min(first + self.structures_per_part, self.count))
        StructureSet(Path(self.out)).append(self.maker(indices), part=part)
        return part


@contextmanager
def claimed(out: Path, recipe: Mapping[str, Any], doing: str) -> Iterator[None]:
    """Hold a folder for what is made by a recipe, or find that it has been made by the same one so far.

    An input that turns out to be wrong before anything was made leaves the folder free.

    Raises
    ------
    InputError
        Something else is being made there (the message says what differs), or the folder holds other files.
    """
    record, ours = out / RECIPE, plain(recipe)
    if out.exists() and not out.is_dir():
        raise InputError(f"{doing}: {out} is a file; give a folder with --out")
    if record.exists():
        if unlike := differences(read_json(record), ours):
            shown = "; ".join(unlike[:3])
            raise InputError(f"{doing}: {out} was made otherwise ({shown}); give another --out, or the same options")
    elif out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise InputError(f"{doing}: {out} holds other files; give a new or empty folder with --out")
    write_json(record, ours)
    try:
        yield
    except InputError:
        if list(out.iterdir()) == [record]:
            record.unlink()
            out.rmdir()
        raise
